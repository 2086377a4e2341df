-- What does not count of a load in which a value is off 0 to 1 and nobody declared its scale:
-- in that experiment, none of the key's values. A row for each key, and one for all records
-- with a value that was not taken or does not count.
with

all_runs as (
    select
        experiment_id,
        scores,
        score_scales,
        set_aside
    from incoming
    union all
    select
        experiment_id,
        scores,
        score_scales,
        set_aside
    from raw_evals.evaluation_runs
    where load_id = %(load_id)s
),

arrived as (
    select
        *,
        row_number() over () as place
    from all_runs
),

undeclared_keys as (
    select distinct
        arrived.experiment_id,
        scales.evaluator_key
    from arrived
    cross join lateral jsonb_each(arrived.score_scales) as scales (evaluator_key, ends)
    where arrived.score_scales != '{}' and jsonb_typeof(scales.ends) = 'null'
),

-- each object is taken apart once: looked up key by key, a run of thousands of keys
-- would be unpacked as often
looked_at as (
    select arrived.*
    from arrived
    where
        exists (
            select from undeclared_keys
            where undeclared_keys.experiment_id = arrived.experiment_id
        )
),

scored as (
    select
        looked_at.place,
        looked_at.experiment_id,
        scores.evaluator_key,
        scores.score
    from looked_at
    cross join lateral jsonb_each(looked_at.scores) as scores (evaluator_key, score)
    where jsonb_typeof(scores.score) = 'number'
),

stated as (
    select
        looked_at.place,
        scales.evaluator_key
    from looked_at
    cross join lateral jsonb_each(looked_at.score_scales) as scales (evaluator_key, ends)
    where looked_at.score_scales != '{}' and jsonb_typeof(scales.ends) != 'null'
),

troubles as (
    select
        scored.place,
        scored.evaluator_key,
        scored.score::double precision as score
    from scored
    left join stated
        on
            scored.place = stated.place
            and scored.evaluator_key = stated.evaluator_key
    where
        stated.place is null
        -- no join, which the planner, who cannot tell how many keys there are, makes a loop
        and coalesce(
            (scored.experiment_id, scored.evaluator_key) in (
                select
                    undeclared_keys.experiment_id,
                    undeclared_keys.evaluator_key
                from undeclared_keys
            ),
            false
        )
    union all
    select
        place,
        null as evaluator_key,
        null as score
    from arrived
    where set_aside is not null
)

select
    grouping(evaluator_key) = 1 as is_total,
    evaluator_key,
    count(distinct place) as records,
    min(score) as low,
    max(score) as high
from troubles
group by grouping sets ((evaluator_key), ())
order by is_total, evaluator_key
