{#
    dbt's own, but a full refresh makes the table what make_table makes of it, and
    what needs no doing is not done: no contract is asked for where the rows have
    the columns that the table was made with, no comment or grant is said again.
#}
{% materialization incremental, adapter='postgres' %}
    {% if model.package_name != 'evalmart' %}
        {{ return(dbt.materialization_incremental_default()) }}
    {% endif %}
    {% set relation = this.incorporate(type='table') %}
    {% set is_kept_up = is_incremental() %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if is_kept_up %}
        {% do add_rows(relation, sql) %}
    {% else %}
        {% do make_table(relation, sql) %}
        {% do keep_making_hash(relation) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
