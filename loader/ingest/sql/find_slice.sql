-- One row per arm of a slice: the runs with versions that a withdrawal would take out, how many
-- of them would leave the marts, and how many would go back to an earlier version.
with

touched as (
    select distinct
        experiment_id,
        source,
        source_run_id
    from raw_evals.evaluation_runs
    where
        (%(load_id)s::bigint is null or load_id = %(load_id)s)
        and (%(experiment_id)s::text is null or experiment_id = %(experiment_id)s)
        and (%(experiment_group)s::text is null or experiment_group = %(experiment_group)s)
        and (%(extension_version)s::text is null or extension_version = %(extension_version)s)
        and (%(task_id)s::text is null or task_id = %(task_id)s)
),

standing as (
    select
        runs.experiment_id,
        runs.source,
        runs.source_run_id,
        runs.run_version,
        runs.experiment_group,
        runs.extension_version,
        coalesce(%(load_id)s::bigint, runs.load_id) = runs.load_id
        and coalesce(%(experiment_group)s::text, runs.experiment_group) = runs.experiment_group
        and coalesce(%(extension_version)s::text, runs.extension_version) = runs.extension_version
        and coalesce(%(task_id)s::text, runs.task_id) = runs.task_id as is_meant
    from raw_evals.standing_versions as runs
    inner join touched
        on
            runs.experiment_id = touched.experiment_id
            and runs.source = touched.source
            and runs.source_run_id = touched.source_run_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by experiment_id, source, source_run_id
            order by run_version desc
        ) = 1 as is_shown,
        bool_or(not is_meant) over (
            partition by experiment_id, source, source_run_id
        ) as has_others
    from standing
)

select
    experiment_id,
    experiment_group,
    extension_version,
    count(distinct row(source, source_run_id)) as run_count,
    count(*) as version_count,
    count(*) filter (where is_shown and not has_others) as gone_count,
    count(*) filter (where is_shown and has_others) as back_count
from ranked
where is_meant
group by experiment_id, experiment_group, extension_version
order by experiment_id, experiment_group, extension_version
