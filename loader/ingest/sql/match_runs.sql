-- One row per annotation that somebody makes and run that it is about: the current version of
-- every run that has the names, the scale that the key has there, and what its author said last.
with

wanted_runs as (
    select distinct
        experiment_id,
        source,
        source_run_id
    from raw_evals.evaluation_runs
    where experiment_id = any(%(experiments)s) and task_id = any(%(tasks)s)
),

current_versions as (
    select distinct on (runs.experiment_id, runs.source, runs.source_run_id) runs.*
    from raw_evals.evaluation_runs as runs
    inner join wanted_runs
        on
            runs.experiment_id = wanted_runs.experiment_id
            and runs.source = wanted_runs.source
            and runs.source_run_id = wanted_runs.source_run_id
    where
        runs.experiment_id not in (select experiment_id from raw_evals.withdrawals)
        or not exists (
            select from raw_evals.withdrawn_versions as withdrawn
            where
                withdrawn.experiment_id = runs.experiment_id
                and withdrawn.source = runs.source
                and withdrawn.source_run_id = runs.source_run_id
                and withdrawn.run_version = runs.run_version
        )
    order by
        runs.experiment_id asc,
        runs.source asc,
        runs.source_run_id asc,
        runs.run_version desc
),

said as (
    select *
    from
        unnest(
            %(numbers)s::bigint[],
            %(wanted)s::text[],
            %(tasks)s::text[],
            %(groups)s::text[],
            %(versions)s::text[],
            %(runs)s::text[],
            %(keys)s::text[],
            %(authors)s::text[]
        ) as given (
            row_number,
            experiment_id,
            task_id,
            experiment_group,
            extension_version,
            source_run_id,
            evaluator_key,
            author
        )
),

undeclared_keys as (
    select distinct
        runs.experiment_id,
        said.evaluator_key
    from said
    inner join raw_evals.evaluation_runs as runs
        on
            said.experiment_id = runs.experiment_id
            and jsonb_typeof(runs.score_scales -> said.evaluator_key) = 'null'
),

last_said as (
    select distinct on (experiment_id, source, source_run_id, evaluator_key, author) *
    from raw_evals.standing_annotations
    where experiment_id = any(%(experiments)s)
    order by
        experiment_id asc,
        source asc,
        source_run_id asc,
        evaluator_key asc,
        author asc,
        load_id desc,
        annotation_id desc
)

select
    said.row_number,
    versions.source,
    versions.source_run_id,
    versions.task_id,
    versions.experiment_group,
    versions.extension_version,
    case
        when jsonb_typeof(versions.score_scales -> said.evaluator_key) = 'array'
            then versions.score_scales -> said.evaluator_key
        -- a score that was not given says nothing of its scale
        when
            jsonb_typeof(versions.scores -> said.evaluator_key) != 'null'
            and not jsonb_exists(versions.score_scales, said.evaluator_key)
            and undeclared_keys.evaluator_key is null
            then '[0, 1]'
    end as own_scale,
    undeclared_keys.evaluator_key is not null as is_undeclared,
    last_said.score,
    last_said.reason
from said
inner join current_versions as versions
    on
        said.experiment_id = versions.experiment_id
        and said.task_id = versions.task_id
        and coalesce(said.experiment_group, versions.experiment_group) = versions.experiment_group
        and coalesce(said.extension_version, versions.extension_version)
        = versions.extension_version
        and coalesce(said.source_run_id, versions.source_run_id) = versions.source_run_id
left join undeclared_keys
    on
        said.experiment_id = undeclared_keys.experiment_id
        and said.evaluator_key = undeclared_keys.evaluator_key
left join last_said
    on
        versions.experiment_id = last_said.experiment_id
        and versions.source = last_said.source
        and versions.source_run_id = last_said.source_run_id
        and said.evaluator_key = last_said.evaluator_key
        and said.author = last_said.author
order by said.row_number, versions.source, versions.source_run_id
