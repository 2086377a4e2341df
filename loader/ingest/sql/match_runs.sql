-- One row per annotation that somebody makes and run that it is about: the current version of
-- every run that has the names, the scale that the key has there, and what its author said last.
-- Nobody declared a key's scale where a current version in the experiment is off 0 to 1 on none.
with

wanted_runs as (
    select distinct
        experiment_id,
        source,
        source_run_id
    from raw_evals.evaluation_runs
    where
        experiment_id = any(%(experiments)s)
        and (
            task_id = any(%(tasks)s)
            or jsonb_path_exists(score_scales, '$.* ? (@ == null)')
        )
),

current_versions as (
    select distinct on (runs.experiment_id, runs.source, runs.source_run_id)
        runs.experiment_id,
        runs.source,
        runs.source_run_id,
        runs.task_id,
        runs.experiment_group,
        runs.extension_version,
        runs.scores,
        runs.score_scales
    from raw_evals.standing_versions as runs
    inner join wanted_runs
        on
            runs.experiment_id = wanted_runs.experiment_id
            and runs.source = wanted_runs.source
            and runs.source_run_id = wanted_runs.source_run_id
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
        versions.experiment_id,
        scales.evaluator_key
    from current_versions as versions
    cross join lateral jsonb_each(versions.score_scales) as scales (evaluator_key, ends)
    where jsonb_typeof(scales.ends) = 'null'
),

-- of a metric, whichever of its keys it was said by: that is what counts in the marts
last_said as (
    select distinct on (
        annotations.experiment_id,
        annotations.source,
        annotations.source_run_id,
        coalesce(named.metric, annotations.evaluator_key),
        annotations.author
    )
        annotations.experiment_id,
        annotations.source,
        annotations.source_run_id,
        annotations.evaluator_key,
        annotations.author,
        annotations.score,
        annotations.reason
    from raw_evals.standing_annotations as annotations
    left join
        unnest(%(named_keys)s::text[], %(named_metrics)s::text[]) as named (evaluator_key, metric)
        on annotations.evaluator_key = named.evaluator_key
    where annotations.experiment_id = any(%(experiments)s)
    order by
        annotations.experiment_id asc,
        annotations.source asc,
        annotations.source_run_id asc,
        coalesce(named.metric, annotations.evaluator_key) asc,
        annotations.author asc,
        annotations.load_id desc,
        annotations.annotation_id desc
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
    last_said.reason,
    array(select jsonb_object_keys(versions.scores)) as judged_keys
from said
inner join current_versions as versions
    on
        said.experiment_id = versions.experiment_id
        and said.task_id = versions.task_id
        and coalesce(said.experiment_group, versions.experiment_group) = versions.experiment_group
        and coalesce(said.extension_version, versions.extension_version)
        = versions.extension_version
        and (
            coalesce(said.source_run_id, versions.source_run_id) = versions.source_run_id
            -- as `label` names it, so that who reads it does not see the arm
            or (
                starts_with(said.source_run_id, 'blind-')
                and said.source_run_id = 'blind-' || left(
                    encode(
                        sha256(
                            convert_to(
                                versions.experiment_id || chr(31) || versions.source
                                || chr(31) || versions.source_run_id,
                                'UTF8'
                            )
                        ),
                        'hex'
                    ),
                    20
                )
            )
        )
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
