select distinct experiment_group
from evals.version_trends
order by experiment_group
