select experiment_group
from evals.agent_daily_rollups
union distinct
select experiment_group
from evals.version_trends
order by experiment_group
