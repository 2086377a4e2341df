{#
    Of what int_regression_tasks looked into, what is more than chance: the
    metric's fall is significant after adjustment, or an alert was found at the
    version. One version in forty is below alpha with nothing behind it.
#}
{{
    config(
        indexes=[{"columns": ["agent_name", "metric"]}],
        pre_hook="{{ join_by_hash() }}",
    )
}}

with

tasks as (
    select * from {{ ref('int_regression_tasks') }}
),

version_regressions as (
    select * from {{ ref('version_regressions') }}
),

chart as (
    select * from {{ ref('int_version_chart') }}
),

believed as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric
    from version_regressions
    where is_significant
    union distinct
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric
    from chart
    where is_found
),

regression_tasks as (
    select
        tasks.agent_name,
        tasks.experiment_group,
        tasks.extension_version,
        tasks.model_version,
        tasks.metric,
        tasks.task_id,
        tasks.previous_extension_version,
        tasks.previous_run_ids,
        tasks.run_ids,
        tasks.previous_value,
        tasks.value,
        tasks.change
    from tasks
    inner join believed
        on {{ is_same_version('tasks', 'believed', ['metric']) }}
)

select * from regression_tasks
