{#
    A returned row is an arm of an experiment inside which the version of its
    dataset or of an evaluator changed: half of its tasks, or of the repetitions
    of one, were measured with another yardstick. Where the arms of a pair
    differ the pair does not count; where both changed alike nobody is told, but
    by this test. Asks about the experiment of the var gate_experiment, and with
    `allow_version_changes: false` about all that were rebuilt.
#}
{% set asked_experiment = var('gate_experiment') | string %}

with

evaluation_trials as (
    {{ untested_rows(ref('evaluation_trials')) }}
),

gated_trials as (
    select * from {{ ref('evaluation_trials') }}
),

gated_experiments as (
    select
        experiment_id,
        baseline_experiment_id
    from {{ ref('experiment_summaries') }}
    where experiment_id = '{{ asked_experiment | replace("'", "''") }}'
),

asked_trials as (
    select * from evaluation_trials
    where not {{ var('allow_version_changes') }}
    union all
    select * from gated_trials
    where
        experiment_id = any(
            array(
                select gated_experiments.experiment_id
                from gated_experiments
                union distinct
                select gated_experiments.baseline_experiment_id
                from gated_experiments
            )
        )
),

recorded_versions as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        'dataset' as yardstick,
        dataset_version as yardstick_version
    from asked_trials
    where dataset_version is not null
    union all
    select
        asked_trials.experiment_id,
        asked_trials.experiment_group,
        asked_trials.extension_version,
        'evaluator ' || evaluators.evaluator_key as yardstick,
        evaluators.evaluator_version as yardstick_version
    from asked_trials
    cross join
        lateral
        jsonb_each_text(asked_trials.evaluator_versions)
            as evaluators (evaluator_key, evaluator_version)
    where evaluators.evaluator_version is not null
),

changed_versions as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        yardstick,
        min(yardstick_version) as one_version,
        max(yardstick_version) as another_version
    from recorded_versions
    group by experiment_id, experiment_group, extension_version, yardstick
    having min(yardstick_version) != max(yardstick_version)
)

select * from changed_versions
