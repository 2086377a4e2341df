select
    agent_name as "agent",
    experiment_group as "group",
    max(last_recorded_at) as "last result",
    extract(epoch from now() - max(last_recorded_at)) / 86400 as "days ago"
from evals.version_trends
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
group by agent_name, experiment_group
order by max(last_recorded_at), agent_name
