{# How much less the candidate needs, in per cent; null for a baseline of 0. #}
{% macro reduction_pct(baseline, candidate) -%}
    {{ function('to_double') }}(
        100 * ({{ baseline }}::numeric - {{ candidate }}::numeric)
        / nullif({{ baseline }}::numeric, 0)
    )
{%- endmacro %}
