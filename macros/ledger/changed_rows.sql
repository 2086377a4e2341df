{# The rows of a relation that this build reads: all, or the changed ones. #}
{% macro changed_rows(relation) -%}
    {%- if is_incremental() -%}
        select *
        from {{ relation }}
        where experiment_id = any({{ changed_experiments() }})
    {%- else -%}
        select * from {{ relation }}
    {%- endif -%}
{%- endmacro %}
