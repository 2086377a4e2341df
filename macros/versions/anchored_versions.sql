-- sqlfluff:exclude_rules:LT02
{#
    From `seen_versions` and `sort_keys` to `anchored_versions`: what versions of
    an agent and group are put in order by, see version_order().
#}
{% macro anchored_versions() -%}
versions as (
    select
        seen_versions.*,
        {{
            version_sort_key_among(
                'sort_keys.version_sort_key',
                'seen_versions.extension_version',
                'seen_versions.agent_name, seen_versions.experiment_group',
            )
        }} as version_sort_key
    from seen_versions
    inner join sort_keys
        on seen_versions.extension_version = sort_keys.extension_version
),

anchored_versions as (
    select
        *,
        {{ version_anchor('agent_name, experiment_group') }} as version_anchor
    from versions
)
{%- endmacro %}
