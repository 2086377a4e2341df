-- null where no result has a cost: nobody knows then
select
    case
        when sum(cost_result_count) > 0 then sum(run_cost_usd_sum)
    end as "spent",
    case
        when sum(cost_result_count) > 0
            then sum(run_cost_usd_sum) / count(distinct recorded_on)
    end as "a day with runs",
    sum(cost_usd_sum) / nullif(sum(cost_result_count), 0) as "a result"
from evals.agent_daily_rollups
where
    recorded_on between $__timeFrom()::timestamptz::date
    and $__timeTo()::timestamptz::date
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
