-- A sample is a result, one per task, group and version. Not every result has
-- every metric: the metric that most of an agent's have tells how many there
-- are. Whole days go into buckets as integers, which is fast.
with

totals as (
    select
        agent_name,
        metric,
        sum(sample_count) as sample_count
    from evals.version_trends
    where agent_name = any(array[${agent:sqlstring}]::text[])
    group by agent_name, metric
),

most_recorded as (
    select distinct on (agent_name)
        agent_name,
        metric
    from totals
    order by agent_name, sample_count desc, metric
),

counted as (
    select
        (rollups.recorded_on - date '1970-01-01')
        / greatest($__interval_ms / 86400000, 1) as bucket,
        rollups.agent_name,
        sum(rollups.sample_count::integer) as sample_count
    from evals.metric_daily_rollups as rollups
    inner join most_recorded
        on
            rollups.agent_name = most_recorded.agent_name
            and rollups.metric = most_recorded.metric
    where
        rollups.recorded_on between $__timeFrom()::timestamptz::date
        and $__timeTo()::timestamptz::date
        and rollups.experiment_group
        = any(array[${group:sqlstring}]::text[])
    group by 1, rollups.agent_name
)

select
    bucket * greatest($__interval_ms / 86400000, 1) * 86400 as time,
    agent_name as metric,
    sample_count::double precision as value
from counted
order by bucket, agent_name
