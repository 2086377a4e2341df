{#
    Conservation: each trial is a repetition of exactly one result, and a
    result counts exactly its trials, as each of them says. A row is a result
    whose repetitions are not its trials, a trial without a result, or a result without a trial.
#}
with

trials as (
    {{ untested_rows(ref('evaluation_trials'), 'evaluation_results') }}
),

results as (
    {{ untested_rows(ref('evaluation_results')) }}
),

counted_trials as (
    select
        experiment_id,
        task_id,
        experiment_group,
        extension_version,
        count(*) as found_count,
        max(trial_number) as last_trial_number,
        min(trial_count) as least_told,
        max(trial_count) as most_told
    from trials
    group by experiment_id, task_id, experiment_group, extension_version
),

mismatched as (
    select
        coalesce(results.experiment_id, counted_trials.experiment_id)
            as experiment_id,
        coalesce(results.task_id, counted_trials.task_id) as task_id,
        results.repetitions,
        counted_trials.found_count
    from results
    full join counted_trials
        on
            results.experiment_id = counted_trials.experiment_id
            and results.task_id = counted_trials.task_id
            and results.experiment_group = counted_trials.experiment_group
            and results.extension_version = counted_trials.extension_version
    where
        results.repetitions is distinct from counted_trials.found_count
        or counted_trials.found_count != counted_trials.last_trial_number
        or counted_trials.found_count != counted_trials.least_told
        or counted_trials.found_count != counted_trials.most_told
)

select * from mismatched
