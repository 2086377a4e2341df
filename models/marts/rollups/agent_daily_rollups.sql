{#
    Results and runs that lack every metric count here too, which no rollup of
    metrics can tell. What a result costs is a mean over its repetitions; what
    was spent is the sum over runs.
#}
with

experiment_rollups as (
    select * from {{ ref('int_agent_daily_rollups') }}
),

agent_rollups as (
    select
        agent_name,
        experiment_group,
        sum(result_count)::bigint as result_count,
        sum(cost_result_count)::bigint as cost_result_count,
        sum(run_count)::bigint as run_count,
        sum(cost_usd_sum)::double precision as cost_usd_sum,
        sum(run_cost_usd_sum)::double precision as run_cost_usd_sum,
        recorded_on
    from experiment_rollups
    group by agent_name, experiment_group, recorded_on
)

select * from agent_rollups
