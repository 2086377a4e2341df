select
    weighted_improvement_low_pct as "from",
    weighted_improvement_pct as "weighted improvement",
    weighted_improvement_high_pct as "to"
from evals.experiment_summaries
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
