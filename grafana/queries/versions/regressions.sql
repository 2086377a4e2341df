select
    agent_name as "agent",
    experiment_group as "group",
    metric,
    extension_version as "version",
    previous_extension_version as "before",
    severity,
    change,
    change_low as "from",
    change_high as "to",
    change_pct as "change %",
    method,
    shared_task_count as "shared tasks",
    p_value_bh as "p (BH)",
    is_significant as "significant"
from evals.version_regressions
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
order by is_significant desc, p_value_bh, agent_name, metric
limit 200
