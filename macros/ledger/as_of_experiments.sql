{# The table of experiments that `--as-of` is about. #}
{% macro as_of_experiments() -%}
    {{ adapter.quote(marts_schema() ~ '_staging') }}.as_of_experiments
{%- endmacro %}
