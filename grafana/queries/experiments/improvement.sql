-- of the metric that decides
select
    improvement_low_pct as "from",
    improvement_pct as "improvement",
    improvement_high_pct as "to"
from evals.experiment_summaries
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
