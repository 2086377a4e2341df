select distinct candidate_group
from evals.experiment_summaries
where
    experiment_id = ${experiment:sqlstring}
    and total_tasks + baseline_only_tasks > 0
    and total_tasks + candidate_only_tasks > 0
order by candidate_group
