select
    agent_name as "agent",
    experiment_group as "group",
    sum(result_count)::bigint as "results",
    sum(run_count)::bigint as "runs",
    sum(cost_usd_sum) / nullif(sum(cost_result_count), 0)
        as "cost of a result",
    sum(run_cost_usd_sum) as "cost of all runs",
    100 * sum(run_cost_usd_sum)
    / nullif(sum(sum(run_cost_usd_sum)) over (), 0) as "of all spent %"
from evals.agent_daily_rollups
where
    recorded_on between $__timeFrom()::timestamptz::date
    and $__timeTo()::timestamptz::date
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
group by agent_name, experiment_group
order by 6 desc, agent_name, experiment_group
