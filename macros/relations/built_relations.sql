{# Where the ledger keeps what each relation was made of. #}
{% macro built_relations() -%}
    {{ adapter.quote(marts_schema() ~ '_staging') }}.built_relations
{%- endmacro %}
