select distinct experiment_group
from evals.version_trends
where agent_name = any(array[${agent:sqlstring}]::text[])
order by experiment_group
