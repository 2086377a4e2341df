{% macro build_watermarks() -%}
    {{ adapter.quote(target.schema ~ '_staging') }}.build_watermarks
{%- endmacro %}
