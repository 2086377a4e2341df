-- What a service says of its keys. A row that is as it was is not written again, unless it was
-- withdrawn, or the load brings runs of the experiment: they keep it when the load that said it
-- first is withdrawn. Nor is, at all, what is said of an experiment without runs.
with

configs as (
    select
        given.experiment_id,
        given.evaluator_key,
        given.kind,
        given.scale_min,
        given.scale_max,
        given.direction,
        given.categories::jsonb as categories
    from
        unnest(
            %(experiments)s::text[],
            %(keys)s::text[],
            %(kinds)s::text[],
            %(lows)s::double precision[],
            %(highs)s::double precision[],
            %(directions)s::text[],
            %(categories)s::text[]
        ) as given (
            experiment_id,
            evaluator_key,
            kind,
            scale_min,
            scale_max,
            direction,
            categories
        )
),

latest as (
    select distinct on (told.experiment_id, told.evaluator_key) told.*
    from raw_evals.score_configs as told
    where
        told.experiment_id = any(%(experiments)s)
        and not raw_evals.is_taken_back(told.experiment_id, told.load_id, null, null)
    order by told.experiment_id asc, told.evaluator_key asc, told.load_id desc
)

insert into raw_evals.score_configs (
    load_id, experiment_id, evaluator_key, kind, scale_min, scale_max, direction, categories
)
select
    %(load_id)s,
    configs.*
from configs
left join latest
    on
        configs.experiment_id = latest.experiment_id
        and configs.evaluator_key = latest.evaluator_key
where
    (
        (
            configs.kind, configs.scale_min, configs.scale_max,
            configs.direction, configs.categories
        )
        is distinct from (
            latest.kind, latest.scale_min, latest.scale_max,
            latest.direction, latest.categories
        )
        or exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = configs.experiment_id
                and runs.load_id = %(load_id)s
        )
    )
    and exists (
        select from raw_evals.evaluation_runs as runs
        where runs.experiment_id = configs.experiment_id
    )
returning experiment_id
