{#
    Incremental strategy `replace_experiments`: delete+insert, where what is
    deleted is every row of the changed experiments, not only the rows that
    come back. An experiment may have lost some, or all.
#}
{% macro get_incremental_replace_experiments_sql(arg_dict) %}
    {% set columns = get_quoted_csv(
        arg_dict['dest_columns'] | map(attribute='name')
    ) %}

    delete from {{ arg_dict['target_relation'] }}
    where experiment_id = any({{ changed_experiments() }});

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{% endmacro %}
