select
    segment_kind as "by",
    segment,
    n_pairs as "pairs",
    mean_difference as "difference",
    ci_low as "from",
    ci_high as "to",
    p_value_bh as "p (BH)",
    wins as "won",
    losses as "lost",
    simpson_flag as "opposes the whole"
from evals.experiment_segment_comparisons
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
    and metric = ${metric:sqlstring}
order by segment_kind, n_pairs desc, segment
