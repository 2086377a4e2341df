{# Makes a table hold the rows of a file and nothing else; see make_table. #}
{% macro make_seed(relation, seed_rows) %}
    {% set definition = local_md5(seed_columns(seed_rows)) %}
    {% set found = relation_state(relation, definition) %}
    {% set progress = namespace(is_done=false) %}

    {% if found.kind == 'r' and found.is_as_defined %}
        {% set rows = make_temp_relation(relation) %}
        {% do fill_with_seed(rows, seed_rows, 'temporary') %}
        {% call statement('shared_columns', fetch_result=True) %}
            {{ shared_columns(rows, relation) }}
        {% endcall %}
        {% set columns = fromjson(load_result('shared_columns').data[0][0]) %}
        {% if columns is not none %}
            {% call statement('refresh_rows') %}
                {{ refresh_rows(relation, rows, columns) }}
            {% endcall %}
            {% set progress.is_done = true %}
        {% endif %}
    {% endif %}

    {% if not progress.is_done %}
        {% set made = where_to_make(relation, found) %}
        {% if found.kind is not none %}
            {% do drop_relation_if_exists(load_cached_relation(made)) %}
        {% endif %}
        {% do fill_with_seed(made, seed_rows) %}
        {% do create_indexes(made) %}
        {% if found.kind is not none %}
            {% do replace_relation(
                relation, get_rename_table_sql(made, relation.identifier)
            ) %}
        {% endif %}
    {% endif %}
    {# unanalysed, two groups are taken for 650, an arm for 1 % of all #}
    {% do analyze_if_rewritten(relation, least_rows=0) %}
    {% if not (progress.is_done and found.is_dressed) %}
        {% do dress_relation(relation, definition) %}
    {% endif %}
{% endmacro %}


{# Creates a table and fills it with the rows of a file. #}
{% macro fill_with_seed(relation, seed_rows, how='') %}
    {% call statement('create_seed') %}
        create {{ how }} table {{ relation }} ({{ seed_columns(seed_rows) }})
        {% if how %}
            on commit drop
        {% endif %}
    {% endcall %}
    {% set names = get_seed_column_quoted_csv(model, seed_rows.column_names) %}
    {% set places = ['%s'] * (seed_rows.column_names | length) %}
    {% for chunk in seed_rows.rows | batch(get_batch_size()) %}
        {% set values = [] %}
        {% for row in chunk %}
            {% do values.extend(row) %}
        {% endfor %}
        {% set tuples = ['(' ~ places | join(', ') ~ ')'] * (chunk | length) %}
        {% set insertion = 'insert into ' ~ relation ~ ' (' ~ names ~ ') values '
            ~ tuples | join(', ') %}
        {% do adapter.add_query(
            insertion, bindings=values, abridge_sql_log=True
        ) %}
    {% endfor %}
{% endmacro %}


{# The columns of a seed with their types: as it says, or as they look. #}
{% macro seed_columns(seed_rows) -%}
    {% set types = model.config.get('column_types', {}) %}
    {% set columns = [] %}
    {% for name in seed_rows.column_names %}
        {% do columns.append(
            adapter.quote_seed_column(name | string, model.config.get('quote_columns'))
            ~ ' ' ~ types.get(name, adapter.convert_type(seed_rows, loop.index0))
        ) %}
    {% endfor %}
    {{ return(columns | join(', ')) }}
{%- endmacro %}
