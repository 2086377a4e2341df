-- the rollups of days have agents without a metric too, the trends those whose
-- days are purged
select agent_name
from evals.agent_daily_rollups
union distinct
select agent_name
from evals.version_trends
order by agent_name
