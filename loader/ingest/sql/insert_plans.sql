-- A plan that is as it was is not written again, unless it was withdrawn, or the load brings runs
-- of the arm: they keep it when the load that said it first is withdrawn. Nor is, with a load,
-- the plan of an arm of which nothing could be loaded.
with

plans as (
    select *
    from
        unnest(
            %(experiments)s::text[],
            %(groups)s::text[],
            %(versions)s::text[],
            %(repetitions)s::integer[],
            %(tasks)s::integer[]
        ) as given (
            experiment_id,
            experiment_group,
            extension_version,
            planned_repetitions,
            planned_tasks
        )
),

latest as (
    select distinct on (told.experiment_id, told.experiment_group, told.extension_version) told.*
    from raw_evals.arm_plans as told
    where
        told.experiment_id = any(%(experiments)s)
        and not raw_evals.is_taken_back(
            told.experiment_id, told.load_id, told.experiment_group, told.extension_version
        )
    order by
        told.experiment_id asc,
        told.experiment_group asc,
        told.extension_version asc,
        told.load_id desc
)

insert into raw_evals.arm_plans (
    load_id, experiment_id, experiment_group, extension_version,
    planned_repetitions, planned_tasks
)
select
    %(load_id)s,
    plans.experiment_id,
    plans.experiment_group,
    plans.extension_version,
    plans.planned_repetitions,
    plans.planned_tasks
from plans
left join latest
    on
        plans.experiment_id = latest.experiment_id
        and plans.experiment_group = latest.experiment_group
        and plans.extension_version = latest.extension_version
where
    (
        (plans.planned_repetitions, plans.planned_tasks)
        is distinct from (latest.planned_repetitions, latest.planned_tasks)
        -- nothing known is no plan
        or latest.experiment_id is not null
        and exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = plans.experiment_id
                and runs.experiment_group = plans.experiment_group
                and runs.extension_version = plans.extension_version
                and runs.load_id = %(load_id)s
        )
    )
    and (
        not %(with_runs)s
        or exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = plans.experiment_id
                and runs.experiment_group = plans.experiment_group
                and runs.extension_version = plans.extension_version
        )
    )
returning experiment_id
