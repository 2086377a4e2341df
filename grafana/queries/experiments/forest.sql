-- Right of 0 is better: percentage points for scores, per cent saved for
-- latency, tokens and cost. Each metric is a line from end to end of its
-- interval with a point at the estimate; the first line marks 0.
with

comparisons as (
    select
        metric,
        kind,
        case direction when 'lower' then -100 else 100 end as scale,
        case when kind = 'score' then mean_difference else ratio - 1 end
            as estimate,
        case when kind = 'score' then ci_low else ratio_low - 1 end
            as estimate_low,
        case when kind = 'score' then ci_high else ratio_high - 1 end
            as estimate_high,
        row_number() over (order by weight, metric desc) as place
    from evals.experiment_metric_comparisons
    where
        experiment_id = ${experiment:sqlstring}
        and candidate_group = ${group:sqlstring}
        and candidate_version = ${version:sqlstring}
        and kind in ('score', 'latency', 'tokens', 'cost')
),

drawn as (
    select * from comparisons
    where estimate is not null
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
        drawn.scale * point.estimate,
        drawn.place,
        drawn.place,
        point.step
    from drawn
    cross join lateral (
        values (1, drawn.estimate_low), (2, drawn.estimate),
            (3, drawn.estimate_high)
    ) as point (step, estimate)
    where point.estimate is not null
)

select metric, improvement, place
from points
where place is not null
order by line desc, step
