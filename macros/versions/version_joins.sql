{# Whether two relations speak of one version, and of one of more columns. #}
{% macro is_same_version(left, right, more=[]) -%}
    {{ agree_on(
        left,
        right,
        ['agent_name', 'experiment_group', 'extension_version', 'model_version']
        + more,
    ) }}
{%- endmacro %}


{# Whether they speak of one series of versions, and of one of more columns. #}
{% macro is_same_series(left, right, more=[]) -%}
    {{ agree_on(
        left,
        right,
        ['agent_name', 'experiment_group', 'model_version', 'metric'] + more,
    ) }}
{%- endmacro %}


{# Whether a row of evaluation_results is of a version; no agent is unknown. #}
{% macro is_result_of_version(results, versions) -%}
    coalesce({{ results }}.agent_name, 'unknown') = {{ versions }}.agent_name
    and {{ results }}.experiment_group = {{ versions }}.experiment_group
    and {{ results }}.extension_version = {{ versions }}.extension_version
    and {{ results }}.model_version = {{ versions }}.model_version
{%- endmacro %}
