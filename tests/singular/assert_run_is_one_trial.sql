{#
    Conservation: each current run is exactly one trial, in the same version. A
    row is a run without its trial, or a trial without its run. Experiments
    that changed since the build are left out: raw has moved on, and the marts
    follow with the next build.
#}
with

runs as (
    {{ untested_rows(ref('int_runs_latest'), 'evaluation_trials') }}
),

trials as (
    {{ untested_rows(ref('evaluation_trials')) }}
),

later_changes as (
    select experiment_id
    from {{ ref('stg_load_experiments') }}
    where not {{ is_in_build('load_id') }}
),

unmatched as (
    select
        coalesce(runs.experiment_id, trials.experiment_id) as experiment_id,
        coalesce(runs.source_run_id, trials.source_run_id) as source_run_id,
        runs.run_version as raw_run_version,
        trials.run_version as trial_run_version
    from runs
    full join trials
        on
            runs.experiment_id = trials.experiment_id
            and runs.source = trials.source
            and runs.source_run_id = trials.source_run_id
    where runs.run_version is distinct from trials.run_version
),

lost as (
    select unmatched.*
    from unmatched
    left join later_changes
        on unmatched.experiment_id = later_changes.experiment_id
    where later_changes.experiment_id is null
)

select * from lost
