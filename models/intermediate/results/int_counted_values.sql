{#
    What experiments without annotations have passes by; so that one said in a
    month costs a build of all the others nothing.
#}
{%- set keys = [
    'experiment_id',
    'source',
    'source_run_id',
    'result_id',
    'task_id',
    'experiment_group',
    'extension_version',
    'trial_count',
    'success',
] -%}
with

trial_values as not materialized (
    select * from {{ ref('int_trial_values') }}
),

evaluation_trials as not materialized (
    select * from {{ ref('evaluation_trials') }}
),

human_scores as not materialized (
    select * from {{ ref('int_human_scores') }}
),

annotations as not materialized (
    select * from {{ ref('stg_annotations') }}
),

untouched_values as (
    select
        {{ keys | join(',\n        ') }},
        metric,
        kind,
        value_source,
        value
    from trial_values
    where
        experiment_id not in (
            select annotations.experiment_id
            from annotations
        )
),

judged_values as (
    select
        trial_values.{{ keys | join(',\n        trial_values.') }},
        trial_values.metric,
        trial_values.kind,
        trial_values.value_source,
        trial_values.value
    from trial_values
    left join human_scores
        on
            trial_values.experiment_id = human_scores.experiment_id
            and trial_values.source = human_scores.source
            and trial_values.source_run_id = human_scores.source_run_id
            and trial_values.metric = human_scores.metric
            and trial_values.value_source = 'score'
    where
        trial_values.experiment_id = any(
            array(select distinct annotations.experiment_id from annotations)
        )
        and human_scores.metric is null
),

human_values as (
    select
        evaluation_trials.{{ keys | join(',\n        evaluation_trials.') }},
        human_scores.metric,
        'score' as kind,
        'score' as value_source,
        human_scores.value
    from human_scores
    inner join evaluation_trials
        on
            human_scores.experiment_id = evaluation_trials.experiment_id
            and human_scores.source = evaluation_trials.source
            and human_scores.source_run_id = evaluation_trials.source_run_id
),

all_values as (
    select * from untouched_values
    union all
    select * from judged_values
    union all
    select * from human_values
)

select * from all_values
