select candidate_version
from evals.experiment_summaries
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
order by last_recorded_at desc nulls last, candidate_version desc
