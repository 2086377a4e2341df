{# A view: the rows, with their key, are kept in int_regression_tasks. #}
{{ config(materialized="view") }}

with

tasks as (
    select * from {{ ref('int_regression_tasks') }}
),

regression_tasks as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        task_id,
        previous_extension_version,
        previous_run_ids,
        run_ids,
        previous_value,
        value,
        change
    from tasks
)

select * from regression_tasks
