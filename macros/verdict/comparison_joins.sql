{# Whether two relations speak of one comparison, and of one of more columns. #}
{% macro is_same_comparison(left, right, more=[]) -%}
    {{ agree_on(
        left,
        right,
        ['experiment_id', 'candidate_group', 'candidate_version'] + more,
    ) }}
{%- endmacro %}


{# Whether two CTEs of the rule do, of one segment and by one kind of bound. #}
{% macro is_same_verdict(left, right) -%}
    {{ is_same_comparison(left, right, ['segment', 'is_anytime']) }}
{%- endmacro %}
