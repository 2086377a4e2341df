select distinct agent_name
from evals.version_trends
order by agent_name
