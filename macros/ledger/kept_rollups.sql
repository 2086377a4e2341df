{# The daily rollups of what `purge` removed, kept because a var says so. #}
{% macro kept_rollups() -%}
    {{ adapter.quote(marts_schema() ~ '_staging') }}.kept_rollups
{%- endmacro %}
