{#
    dbt's own macro, with one more word: a data test configured with
    `where: __untested__` reads untested_rows instead of the whole table.
#}
{% macro get_where_subquery(relation) -%}
    {%- if config.get('where') == '__untested__' -%}
        {%- set rows = untested_rows(relation) -%}
        {%- do return('(' ~ rows ~ ') as dbt_subquery') -%}
    {%- else -%}
        {%- set dispatched = adapter.dispatch('get_where_subquery', 'dbt') -%}
        {%- do return(dispatched(relation)) -%}
    {%- endif -%}
{%- endmacro %}
