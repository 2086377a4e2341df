{#
    Results and runs that lack every metric count here too, which no rollup of
    metrics can tell. What a result costs is a mean over its repetitions; what
    was spent is the sum over runs.
#}
{{ config(pre_hook="set local jit = off") }}

with

evaluation_results as (
    select * from {{ ref('evaluation_results') }}
),

evaluation_trials as (
    select * from {{ ref('evaluation_trials') }}
),

results as (
    select
        coalesce(agent_name, 'unknown') as agent_name,
        experiment_group,
        count(*) as result_count,
        count(cost_usd) as cost_result_count,
        coalesce(sum(cost_usd::numeric), 0) as cost_usd_sum,
        (recorded_at at time zone 'UTC')::date as recorded_on
    from evaluation_results
    group by
        coalesce(agent_name, 'unknown'),
        experiment_group,
        (recorded_at at time zone 'UTC')::date
),

runs as (
    select
        coalesce(agent_name, 'unknown') as agent_name,
        experiment_group,
        count(*) as run_count,
        coalesce(sum(cost_usd::numeric), 0) as run_cost_usd_sum,
        (recorded_at at time zone 'UTC')::date as recorded_on
    from evaluation_trials
    group by
        coalesce(agent_name, 'unknown'),
        experiment_group,
        (recorded_at at time zone 'UTC')::date
),

-- a run may be of another day than its result, which has its latest run's
joined as (
    select
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
            results.agent_name = runs.agent_name
            and results.experiment_group = runs.experiment_group
            and results.recorded_on = runs.recorded_on
)

select * from joined
