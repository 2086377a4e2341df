-- The condition is checked again: a run may have got a new version since it was found.
with still_expired as (
    select
        runs.experiment_id,
        runs.source,
        runs.source_run_id
    from expired_runs
    inner join raw_evals.evaluation_runs as runs
        on
            expired_runs.experiment_id = runs.experiment_id
            and expired_runs.source = runs.source
            and expired_runs.source_run_id = runs.source_run_id
    group by runs.experiment_id, runs.source, runs.source_run_id
    having
        coalesce(max(runs.recorded_at), min(runs.loaded_at)) < %(cutoff)s
        and not bool_or(runs.metadata @> '{"archive": true}')
),

removed as (
    delete from raw_evals.evaluation_runs as runs
    using still_expired
    where
        runs.experiment_id = still_expired.experiment_id
        and runs.source = still_expired.source
        and runs.source_run_id = still_expired.source_run_id
    returning
        runs.load_id,
        runs.experiment_id,
        runs.baseline_experiment_id,
        runs.source,
        runs.source_run_id
),

announced as (
    insert into raw_evals.load_experiments (
        load_id, experiment_id, baseline_experiment_id
    )
    select distinct
        %(load_id)s::bigint,
        experiment_id,
        baseline_experiment_id
    from removed
),

counted as (
    select
        load_id,
        count(*) as version_count
    from removed
    group by load_id
)

select
    count(*) as version_count,
    count(distinct row(experiment_id, source, source_run_id)) as run_count,
    (
        select jsonb_object_agg(counted.load_id, counted.version_count)
        from counted
    ) as of_loads
from removed
