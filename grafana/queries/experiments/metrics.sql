-- who has most say first; a change whose better side nobody knows stands apart
select
    metric,
    role as "say",
    n_pairs as "pairs",
    baseline_mean as "baseline",
    candidate_mean as "candidate",
    case when direction != 'unknown' then improvement_pct end as "improvement",
    case when direction != 'unknown' then improvement_low_pct end as "from",
    case when direction != 'unknown' then improvement_high_pct end as "to",
    case when improvement_pct is null or direction = 'unknown' then
        mean_difference
    end as "changed by",
    margin_pct as "margin",
    p_value as "p",
    finding as "which says",
    role_note as "why no say",
    nullif(array_to_string(flags, ', '), '') as "notes"
from evals.experiment_metric_comparisons
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
order by
    array_position(
        array['deciding', 'guardrail', 'success', 'tripwire'], role
    ) nulls last,
    weight desc,
    metric
