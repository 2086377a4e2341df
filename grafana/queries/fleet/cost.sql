-- whole days go into buckets as integers, which is fast
with

summed as (
    select
        (recorded_on - date '1970-01-01')
        / greatest($__interval_ms / 86400000, 1) as bucket,
        agent_name,
        sum(value_sum) as value_sum,
        sum(sample_count::integer) as sample_count
    from evals.metric_daily_rollups
    where
        recorded_on between $__timeFrom()::timestamptz::date
        and $__timeTo()::timestamptz::date
        and metric = 'cost_usd'
        and agent_name = any(array[${agent:sqlstring}]::text[])
        and experiment_group = any(array[${group:sqlstring}]::text[])
    group by 1, agent_name
)

select
    bucket * greatest($__interval_ms / 86400000, 1) * 86400 as time,
    agent_name as metric,
    value_sum::double precision / sample_count as value
from summed
order by bucket, agent_name
