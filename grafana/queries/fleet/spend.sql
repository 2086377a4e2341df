-- whole days go into buckets as integers; no day goes into two
select
    (recorded_on - date '1970-01-01')
    / greatest($__interval_ms / 86400000, 1)
    * greatest($__interval_ms / 86400000, 1) * 86400 as time,
    agent_name as metric,
    sum(run_cost_usd_sum) as value
from evals.agent_daily_rollups
where
    recorded_on between $__timeFrom()::timestamptz::date
    and $__timeTo()::timestamptz::date
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
group by 1, agent_name
order by time, agent_name
