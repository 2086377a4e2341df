{#
    Computes a model's rows into a temporary table, which ends with the
    transaction, and returns the names of the columns of the relation that they are
    for: none where the rows' columns are not just those, of the same types.
#}
{% macro rows_beside(rows, relation, sql) %}
    {% call statement('rows_beside', fetch_result=True) %}
        {{ config.get('sql_header', none) or '' }}
        create temporary table {{ rows }} on commit drop as (
            {{ sql }}
        );

        {{ shared_columns(rows, relation) }}
    {% endcall %}
    {{ return(fromjson(load_result('rows_beside').data[0][0])) }}
{% endmacro %}


{# A query of one cell: the columns of two relations, null where they differ. #}
{% macro shared_columns(rows, relation) -%}
    select
        coalesce(
            case
                when
                    jsonb_object_agg(attname, format_type(atttypid, null))
                        filter (where is_row)
                    = jsonb_object_agg(attname, format_type(atttypid, null))
                        filter (where not is_row)
                    then
                        jsonb_agg(attname order by attnum)
                            filter (where not is_row)
            end,
            'null'
        )::text as shared_columns
    from (
        select
            attname,
            atttypid,
            attnum,
            attrelid = '{{ rows }}'::regclass as is_row
        from pg_attribute
        where
            attrelid in ('{{ rows }}'::regclass, '{{ relation }}'::regclass)
            and attnum > 0
            and not attisdropped
    ) as columns_of_both
{%- endmacro %}
