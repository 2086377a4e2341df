select
    agent_name as "agent",
    experiment_group as "group",
    metric,
    began_version as "since",
    found_version as "found in",
    severity,
    cause,
    change_pct as "change %",
    level_before as "before",
    level_found as "found",
    shared_task_count as "shared tasks",
    case when is_open then 'open' else end_reason end as "state",
    found_at as "found at"
from evals.metric_alerts
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
order by is_open desc, found_at desc, agent_name, metric
limit 200
