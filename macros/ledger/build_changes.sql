{% macro build_changes() -%}
    {{ adapter.quote(marts_schema() ~ '_staging') }}.build_changes
{%- endmacro %}
