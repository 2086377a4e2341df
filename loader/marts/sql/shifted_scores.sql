-- Scores of an experiment as they would be if judges favoured candidates.
with

asked as (
    select *
    from
        unnest(
            %(metrics)s::text[], %(biases)s::float8[]
        ) as given (metric, bias)
)

select
    comparisons.candidate_group,
    comparisons.candidate_version,
    comparisons.metric,
    comparisons.improvement - asked.bias as improvement,
    comparisons.improvement_error,
    comparisons.effective_clusters - 1 as degrees_of_freedom,
    least(
        coalesce(
            comparisons.improvement_missing_as_zero - comparisons.improvement,
            0
        ),
        0
    ) as missing_gap_low,
    greatest(
        coalesce(
            comparisons.improvement_missing_as_zero - comparisons.improvement,
            0
        ),
        0
    ) as missing_gap_high
from {experiment_metric_comparisons} as comparisons
inner join asked
    on comparisons.metric = asked.metric
where
    comparisons.experiment_id = %(experiment)s
    and comparisons.kind = 'score'
    and comparisons.improvement_error > 0
    and comparisons.effective_clusters > 1
order by
    comparisons.candidate_group,
    comparisons.candidate_version,
    comparisons.metric
