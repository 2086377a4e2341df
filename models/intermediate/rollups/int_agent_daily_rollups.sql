{#
    What an experiment adds to agent_daily_rollups. A run may be of another day
    than its result, which has its latest run's.
#}
{%- set key = [
    "experiment_id",
    "agent_name",
    "experiment_group",
    "recorded_on",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
    )
}}

with

evaluation_results as (
    {{ changed_rows(ref('evaluation_results')) }}
),

evaluation_trials as (
    {{ changed_rows(ref('evaluation_trials')) }}
),

results as (
    select
        experiment_id,
        coalesce(agent_name, 'unknown') as agent_name,
        experiment_group,
        count(*) as result_count,
        count(cost_usd) as cost_result_count,
        sum(cost_usd::numeric) as cost_usd_sum,
        (recorded_at at time zone 'UTC')::date as recorded_on
    from evaluation_results
    group by
        experiment_id,
        coalesce(agent_name, 'unknown'),
        experiment_group,
        (recorded_at at time zone 'UTC')::date
),

runs as (
    select
        experiment_id,
        coalesce(agent_name, 'unknown') as agent_name,
        experiment_group,
        count(*) as run_count,
        sum(cost_usd::numeric) as run_cost_usd_sum,
        (recorded_at at time zone 'UTC')::date as recorded_on
    from evaluation_trials
    group by
        experiment_id,
        coalesce(agent_name, 'unknown'),
        experiment_group,
        (recorded_at at time zone 'UTC')::date
),

joined as (
    select
        coalesce(results.experiment_id, runs.experiment_id) as experiment_id,
        coalesce(results.agent_name, runs.agent_name) as agent_name,
        coalesce(results.experiment_group, runs.experiment_group)
            as experiment_group,
        coalesce(results.result_count, 0) as result_count,
        coalesce(results.cost_result_count, 0) as cost_result_count,
        coalesce(runs.run_count, 0) as run_count,
        coalesce(results.cost_usd_sum, 0) as cost_usd_sum,
        coalesce(runs.run_cost_usd_sum, 0) as run_cost_usd_sum,
        coalesce(results.recorded_on, runs.recorded_on) as recorded_on
    from results
    full join runs
        on
            results.experiment_id = runs.experiment_id
            and results.agent_name = runs.agent_name
            and results.experiment_group = runs.experiment_group
            and results.recorded_on = runs.recorded_on
)

select * from joined
