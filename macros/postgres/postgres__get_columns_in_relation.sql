{#
    dbt's own macro, but an array has the type of its elements (unit tests cast
    to these types, and ARRAY is none), the catalogue is asked in place of the
    information schema's views, and the answer is one cell: dbt looks into
    every cell of an answer for its type, and a build asks a hundred times.
#}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=True) %}
        select
            coalesce(
                json_agg(
                    json_build_array(
                        attributes.attname,
                        format_type(attributes.atttypid, null),
                        case
                            when attributes.atttypid in ('bpchar'::regtype, 'varchar'::regtype)
                                then nullif(attributes.atttypmod, -1) - 4
                        end,
                        case
                            when attributes.atttypid = 'numeric'::regtype
                                then (nullif(attributes.atttypmod, -1) - 4) >> 16
                        end,
                        case
                            when attributes.atttypid = 'numeric'::regtype
                                then (nullif(attributes.atttypmod, -1) - 4) & 65535
                        end
                    )
                    order by attributes.attnum
                ),
                '[]'
            )::text as relation_columns
        from pg_attribute as attributes
        where
            attributes.attrelid = to_regclass('{{ relation }}')
            and attributes.attnum > 0
            and not attributes.attisdropped
    {% endcall %}
    {% set found = [] %}
    {% for row in fromjson(load_result('get_columns_in_relation').data[0][0]) %}
        {% do found.append(api.Column(*row)) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}
