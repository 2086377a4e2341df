with numbered as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        role,
        finding,
        row_number() over (
            partition by experiment_id, candidate_group, candidate_version
            order by
                array_position(
                    array['deciding', 'guardrail', 'success', 'tripwire'], role
                ) nulls last,
                weight desc,
                metric asc
        ) as place
    from {experiment_metric_comparisons}
    where experiment_id = any(%(experiments)s) and finding is not null
)

select
    experiment_id,
    candidate_group,
    candidate_version,
    metric,
    role,
    finding
from numbered
where place <= %(most)s
order by experiment_id, candidate_group, candidate_version, place
