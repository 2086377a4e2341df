-- sqlfluff:exclude_rules:LT02
{#
    Makes a table hold a query's rows and nothing else, without being missed or
    empty for a moment: in place if it can be, in its own transaction anyhow.
#}
{% macro make_table(relation, sql) %}
    {% set definition = table_hash() %}
    {% set found = relation_state(relation, definition) %}
    {% set progress = namespace(is_done=false) %}

    {% if found.kind == 'r' and found.is_as_defined %}
        {% set rows = make_temp_relation(relation) %}
        {% set columns = rows_beside(rows, relation, sql) %}
        {% if columns is not none %}
            {% call statement('main') %}
                {{ refresh_rows(relation, rows, columns) }}
            {% endcall %}
            {% do analyze_if_rewritten(relation) %}
            {% if not found.is_dressed %}
                {% do dress_relation(relation, definition) %}
            {% endif %}
            {% set progress.is_done = true %}
        {% endif %}
    {% endif %}

    {% if not progress.is_done %}
        {% set made = where_to_make(relation, found) %}
        {% if found.kind is not none %}
            {# nobody reads what a build that was ended left behind #}
            {% do drop_relation_if_exists(load_cached_relation(made)) %}
        {% endif %}
        {% call statement('main') %}
            {{ get_create_table_as_sql(False, made, sql) }}
        {% endcall %}
        {% do create_indexes(made) %}
        {% do analyze_if_rewritten(made) %}
        {% if found.kind is not none %}
            {% do replace_relation(
                relation, get_rename_table_sql(made, relation.identifier)
            ) %}
        {% endif %}
        {% do dress_relation(relation, definition) %}
    {% endif %}
{% endmacro %}


{# The relation itself where there is none; else a name beside it. #}
{% macro where_to_make(relation, found) %}
    {% if found.kind is none %}
        {{ return(relation) }}
    {% endif %}
    {{ return(make_intermediate_relation(relation)) }}
{% endmacro %}
