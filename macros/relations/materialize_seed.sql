{#
    A seed's rows, put in place as those of a table are: dbt empties a seed before
    it fills it, and drops it for a full refresh with all views that read it.
#}
{% materialization seed, adapter='postgres' %}
    {% if model.package_name != 'evalmart' %}
        {{ return(dbt.materialization_seed_default()) }}
    {% endif %}
    {% set relation = this.incorporate(type='table') %}
    {% set seed_rows = load_agate_table() %}
    {% do store_result('agate_table', response='OK', agate_table=seed_rows) %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% do make_seed(relation, seed_rows) %}
    {% set row_count = seed_rows.rows | length %}
    {% set said = 'INSERT ' ~ row_count %}
    {% call noop_statement('main', said, 'INSERT', row_count) %}
        {{ seed_columns(seed_rows) }}
    {% endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
