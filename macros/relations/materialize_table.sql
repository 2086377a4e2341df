{#
    A table that is computed whole by every build. Where it is there, of the same
    columns, its rows are made those that were computed, and what has not changed
    is not touched; else it is made, or another put in its place.
#}
{% materialization table, adapter='postgres' %}
    {% if model.package_name != 'evalmart' %}
        {{ return(dbt.materialization_table_default()) }}
    {% endif %}
    {% set relation = this.incorporate(type='table') %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% do make_table(relation, sql) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
