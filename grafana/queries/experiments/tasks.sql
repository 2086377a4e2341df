select
    task_id as "task",
    coalesce(agent_name, 'unknown') as "agent",
    coalesce(winner, not_comparable_reason, 'cannot be told') as "winner",
    baseline_primary_value as "baseline",
    candidate_primary_value as "candidate",
    primary_difference as "better by",
    latency_reduction_pct as "time saved %",
    cost_reduction_pct as "cost saved %",
    case
        when baseline_success then 'yes'
        when not baseline_success then 'no'
        when baseline_result_id is not null then 'unknown'
    end as "baseline finished",
    case
        when candidate_success then 'yes'
        when not candidate_success then 'no'
        when candidate_result_id is not null then 'unknown'
    end as "candidate finished"
from evals.evaluation_comparison_view
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
    and coalesce(agent_name, 'unknown')
    = any(array[${agent:sqlstring}]::text[])
order by primary_difference nulls last, task_id
limit 500
