{% macro build_changes() -%}
    {{ adapter.quote(target.schema ~ '_staging') }}.build_changes
{%- endmacro %}
