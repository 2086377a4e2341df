{#
    What a data test reads of its model: those that its meta asks `rows: untested`
    of read untested_rows, others the whole table. Asked by the tests themselves,
    because dbt has one get_where_subquery for the tests of all packages.
#}
{% macro tested_rows(relation) -%}
    {%- if (config.get('meta') or {}).get('rows') == 'untested' -%}
        ({{ untested_rows(relation) }}) as tested_rows
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
