select candidate_version
from evals.experiment_summaries
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and total_tasks + baseline_only_tasks > 0
    and total_tasks + candidate_only_tasks > 0
order by last_recorded_at desc nulls last, candidate_version desc
