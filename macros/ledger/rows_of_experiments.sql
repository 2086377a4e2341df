{#
    The rows of a relation whose experiments a CTE of the model names in one of
    its columns; for rows of other experiments than the changed ones. A full
    build reads everything, and the model's join picks.
#}
{% macro rows_of_experiments(relation, cte, column) -%}
    {%- if is_incremental() -%}
        select *
        from {{ relation }}
        where experiment_id = any(
            array(select distinct {{ column }} from {{ cte }})
        )
    {%- else -%}
        select * from {{ relation }}
    {%- endif -%}
{%- endmacro %}
