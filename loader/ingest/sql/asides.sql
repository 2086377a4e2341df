-- What does not count of a load in which a value is off 0 to 1 and nobody declared its scale:
-- in that experiment, none of the key's values. A row for each key, and one for all records
-- with a value that was not taken or does not count.
with

arrived as (
    select
        all_runs.*,
        row_number() over () as place
    from (
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
    ) as all_runs
),

undeclared_keys as (
    select distinct
        arrived.experiment_id,
        scales.evaluator_key
    from arrived
    cross join lateral jsonb_each(arrived.score_scales) as scales (evaluator_key, ends)
    where arrived.score_scales != '{}' and jsonb_typeof(scales.ends) = 'null'
),

troubles as (
    select
        arrived.place,
        undeclared_keys.evaluator_key,
        (arrived.scores ->> undeclared_keys.evaluator_key)::double precision as score
    from arrived
    inner join undeclared_keys on arrived.experiment_id = undeclared_keys.experiment_id
    where
        jsonb_typeof(arrived.scores -> undeclared_keys.evaluator_key) = 'number'
        and coalesce(
            jsonb_typeof(arrived.score_scales -> undeclared_keys.evaluator_key), 'null'
        ) = 'null'
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
