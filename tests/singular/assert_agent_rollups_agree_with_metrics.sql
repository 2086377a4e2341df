{#
    Two marts that state one fact agree: what the results of an agent, a group
    and a day cost. A row is a day on which they do not.
    Rollups of metrics that outlive their runs say more than is in raw.
#}
{{ config(enabled=not var('keep_purged_rollups')) }}

with

agent_rollups as (
    select * from {{ ref('agent_daily_rollups') }}
    where cost_result_count > 0
),

metric_rollups as (
    select
        agent_name,
        experiment_group,
        recorded_on,
        sum(sample_count) as sample_count,
        sum(value_sum) as value_sum
    from {{ ref('metric_daily_rollups') }}
    where metric = 'cost_usd'
    group by agent_name, experiment_group, recorded_on
),

mismatched as (
    select
        coalesce(agent_rollups.agent_name, metric_rollups.agent_name)
            as agent_name,
        coalesce(agent_rollups.recorded_on, metric_rollups.recorded_on)
            as recorded_on,
        agent_rollups.cost_result_count,
        metric_rollups.sample_count
    from agent_rollups
    full join metric_rollups
        on
            agent_rollups.agent_name = metric_rollups.agent_name
            and agent_rollups.experiment_group = metric_rollups.experiment_group
            and agent_rollups.recorded_on = metric_rollups.recorded_on
    where
        agent_rollups.cost_result_count
        is distinct from metric_rollups.sample_count
        or abs(agent_rollups.cost_usd_sum - metric_rollups.value_sum)
        > 1e-9 * metric_rollups.value_sum
)

select * from mismatched
