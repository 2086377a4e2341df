{#
    How much better the candidate's score is, in percentage points: 100 times
    the difference. Computed in numeric, where 0.85 - 0.80 is 0.05.
#}
{% macro improvement_pct(baseline, candidate) -%}
    {{ function('to_double') }}(
        100 * ({{ candidate }}::numeric - {{ baseline }}::numeric)
    )
{%- endmacro %}
