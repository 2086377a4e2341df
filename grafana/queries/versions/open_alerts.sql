select count(*) filter (where is_open) as "open alerts"
from evals.metric_alerts
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
