-- Right of 0 is better: percentage points for scores and success, per cent
-- saved for latency, tokens and cost. Each metric is a line from end to end of
-- its interval with a point at the estimate; the first line marks 0. A metric
-- whose better side nobody knows has none.
with

drawn as (
    select
        metric,
        improvement_pct,
        improvement_low_pct,
        improvement_high_pct,
        row_number() over (
            order by
                array_position(
                    array['deciding', 'guardrail', 'success', 'tripwire'], role
                ) desc nulls first,
                weight,
                metric desc
        ) as place
    from evals.experiment_metric_comparisons
    where
        experiment_id = ${experiment:sqlstring}
        and candidate_group = ${group:sqlstring}
        and candidate_version = ${version:sqlstring}
        and direction != 'unknown'
        and improvement_pct is not null
),

points as (
    select
        'no change' as metric,
        0::double precision as improvement,
        ends.place::double precision as place,
        0 as line,
        ends.place as step
    from (select 0 as place union all select max(place) + 1 from drawn) as ends
    union all
    select
        drawn.metric,
        point.improvement,
        drawn.place,
        drawn.place,
        point.step
    from drawn
    cross join lateral (
        values (1, drawn.improvement_low_pct), (2, drawn.improvement_pct),
            (3, drawn.improvement_high_pct)
    ) as point (step, improvement)
    where point.improvement is not null
)

select metric, improvement, place
from points
where place is not null
order by line desc, step
