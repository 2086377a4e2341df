select
    agent_name as "agent",
    experiment_group as "group",
    sum(sample_count)::bigint as "results",
    (sum(value_sum) / sum(sample_count))::double precision
        as "cost of a result",
    sum(value_sum)::double precision as "cost of one run of each"
from evals.metric_daily_rollups
where
    recorded_on between $__timeFrom()::timestamptz::date
    and $__timeTo()::timestamptz::date
    and metric = 'cost_usd'
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
group by agent_name, experiment_group
order by 5 desc, agent_name, experiment_group
