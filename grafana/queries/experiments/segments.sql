select
    comparisons.segment_kind as "by",
    comparisons.segment,
    comparisons.n_pairs as "pairs",
    case when comparisons.direction != 'unknown' then
        comparisons.improvement_pct
    end as "improvement",
    case when comparisons.direction != 'unknown' then
        comparisons.improvement_low_pct
    end as "from",
    case when comparisons.direction != 'unknown' then
        comparisons.improvement_high_pct
    end as "to",
    comparisons.p_value_bh as "p (BH)",
    comparisons.finding as "which says",
    comparisons.wins as "won",
    comparisons.losses as "lost",
    verdicts.recommendation as "verdict on the segment",
    verdicts.is_proven_worse as "proven worse",
    comparisons.simpson_flag as "opposes the whole"
from evals.experiment_segment_comparisons as comparisons
left join evals.experiment_segment_verdicts as verdicts
    on
        comparisons.experiment_id = verdicts.experiment_id
        and comparisons.candidate_group = verdicts.candidate_group
        and comparisons.candidate_version = verdicts.candidate_version
        and comparisons.segment_kind = verdicts.segment_kind
        and comparisons.segment = verdicts.segment
where
    comparisons.experiment_id = ${experiment:sqlstring}
    and comparisons.candidate_group = ${group:sqlstring}
    and comparisons.candidate_version = ${version:sqlstring}
    and comparisons.metric = ${metric:sqlstring}
order by
    comparisons.segment_kind, comparisons.n_pairs desc, comparisons.segment
