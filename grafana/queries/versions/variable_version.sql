select extension_version
from evals.version_trends
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
group by extension_version
order by max(version_rank) desc, extension_version
