{# The incremental build of a table, by the model's own strategy. #}
{% macro add_rows(relation, sql) %}
    {% set definition = table_hash() %}
    {% set found = relation_state(relation, definition) %}
    {% set rows = make_temp_relation(relation) %}
    {% set columns = rows_beside(rows, relation, sql) %}
    {% if columns is none %}
        {% if config.get('contract').enforced %}
            {% do get_assert_columns_equivalent(sql) %}
        {% endif %}
        {% set on_schema_change = incremental_validate_on_schema_change(
            config.get('on_schema_change'), default='ignore'
        ) %}
        {% do process_schema_changes(on_schema_change, rows, relation) %}
    {% endif %}
    {% set kept = [] %}
    {% for column in columns or [] %}
        {% do kept.append(api.Column(column, '')) %}
    {% endfor %}
    {% set strategy = adapter.get_incremental_strategy_macro(
        context, config.get('incremental_strategy') or 'default'
    ) %}
    {% call statement('main') %}
        {{
            strategy({
                'target_relation': relation,
                'temp_relation': rows,
                'unique_key': config.get('unique_key'),
                'dest_columns': kept or adapter.get_columns_in_relation(relation),
                'incremental_predicates': config.get('incremental_predicates'),
            })
        }}
    {% endcall %}
    {% if not found.is_dressed %}
        {# what it was made of is not looked at until it is made again #}
        {% do dress_relation(relation, definition if found.is_as_defined else '') %}
    {% endif %}
{% endmacro %}
