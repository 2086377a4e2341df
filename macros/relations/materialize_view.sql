{#
    A view whose definition has not changed is left alone: dbt drops and makes each
    view of each build, and with it every view that reads it, so that what people
    read is away for seconds, and two threads of one build can meet in a deadlock.
#}
{% materialization view, adapter='postgres' %}
    {% if model.package_name != 'evalmart' %}
        {{ return(dbt.materialization_view_default()) }}
    {% endif %}
    {% set relation = this.incorporate(type='view') %}
    {# a warehouse may be restored or copied under another name #}
    {% set database = adapter.quote(this.database) ~ '.' %}
    {% set definition = local_md5(sql.replace(database, '')) %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% set found = relation_state(relation, definition) %}
    {% if found.kind == 'v' and found.is_as_defined and found.is_dressed %}
        {% call noop_statement('main', 'UNCHANGED', 'UNCHANGED') %}
            {{ sql }}
        {% endcall %}
    {% else %}
        {% if found.kind is none %}
            {% call statement('main') %}
                {{ get_create_view_as_sql(relation, sql) }}
            {% endcall %}
        {% else %}
            {% set statement = get_create_view_as_sql(relation, sql) %}
            {% do replace_relation(
                relation,
                statement,
                in_place=statement.replace('create view', 'create or replace view', 1)
                if found.kind == 'v' else '',
            ) %}
            {% call noop_statement('main', 'CREATE VIEW', 'CREATE VIEW') %}
                {{ statement }}
            {% endcall %}
        {% endif %}
        {% do dress_relation(relation, definition) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
