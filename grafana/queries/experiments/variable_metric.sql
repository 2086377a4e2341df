-- the metric that decides comes first
select comparisons.metric
from evals.experiment_metric_comparisons as comparisons
inner join evals.experiment_summaries as summaries
    on
        comparisons.experiment_id = summaries.experiment_id
        and comparisons.candidate_group = summaries.candidate_group
        and comparisons.candidate_version = summaries.candidate_version
where
    comparisons.experiment_id = ${experiment:sqlstring}
    and comparisons.candidate_group = ${group:sqlstring}
    and comparisons.candidate_version = ${version:sqlstring}
order by
    comparisons.metric = summaries.primary_metric desc nulls last,
    comparisons.weight desc,
    comparisons.metric
