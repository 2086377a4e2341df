select
    metric,
    n_pairs as "pairs",
    baseline_mean as "baseline",
    candidate_mean as "candidate",
    mean_difference as "difference",
    ci_low as "from",
    ci_high as "to",
    100 * (ratio - 1) as "relative %",
    100 * (ratio_low - 1) as "relative from",
    100 * (ratio_high - 1) as "relative to",
    non_inferiority_margin as "accepted loss",
    p_value as "p",
    p_value_holm as "p (Holm)",
    method,
    nullif(array_to_string(flags, ', '), '') as "notes"
from evals.experiment_metric_comparisons
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
order by weight desc, metric
