select distinct candidate_group
from evals.experiment_summaries
where experiment_id = ${experiment:sqlstring}
order by candidate_group
