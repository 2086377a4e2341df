{% macro build_watermarks() -%}
    {{ adapter.quote(marts_schema() ~ '_staging') }}.build_watermarks
{%- endmacro %}
