-- One row per run that the loads of a project brought and that was not withdrawn: of its current
-- version what tells whether it is as it was.
with

project_loads as (
    select load_id
    from raw_evals.loads
    where source = %(source)s and source_ref ->> 'project_id' = %(project_id)s
),

experiments as (
    select distinct experiment_id
    from raw_evals.load_experiments
    where
        load_id in (select load_id from project_loads)
        and (%(experiments)s::text[] is null or experiment_id = any(%(experiments)s))
),

current_runs as (
    select distinct on (standing.experiment_id, standing.source_run_id)
        standing.experiment_id,
        standing.source,
        standing.source_run_id,
        standing.run_version
    from raw_evals.standing_versions as standing
    where
        standing.experiment_id in (select experiment_id from experiments)
        and standing.source = %(source)s
        and standing.load_id in (select load_id from project_loads)
        and (%(run_ids)s::text[] is null or standing.source_run_id = any(%(run_ids)s))
    order by
        standing.experiment_id asc,
        standing.source_run_id asc,
        standing.run_version desc
)

select
    runs.experiment_id,
    runs.source_run_id,
    runs.task_id,
    runs.experiment_group,
    runs.extension_version,
    runs.recorded_at,
    runs.repetition,
    runs.metadata #>> '{langsmith,example_id}' as example_id,
    runs.feedback
from raw_evals.evaluation_runs as runs
inner join current_runs
    on
        runs.experiment_id = current_runs.experiment_id
        and runs.source = current_runs.source
        and runs.source_run_id = current_runs.source_run_id
        and runs.run_version = current_runs.run_version
