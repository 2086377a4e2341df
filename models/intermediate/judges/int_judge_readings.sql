{#
    A view: labels are few beside runs, and a warehouse without any pays nothing
    for it. Experiments without annotations pass by before their runs are read.
#}
with

annotations as not materialized (
    select * from {{ ref('stg_annotations') }}
),

human_scores as not materialized (
    select * from {{ ref('int_human_scores') }}
),

trial_values as not materialized (
    select * from {{ ref('int_trial_values') }}
),

evaluation_trials as not materialized (
    select * from {{ ref('evaluation_trials') }}
),

evaluator_metrics as (
    select * from {{ ref('int_evaluator_metrics') }}
),

experiment_groups as (
    select * from {{ ref('experiment_groups') }}
),

group_roles as (
    select * from {{ ref('int_group_roles') }}
),

read_twice as (
    select
        trial_values.experiment_id,
        trial_values.source,
        trial_values.source_run_id,
        trial_values.metric,
        trial_values.value as judge_value,
        human_scores.value as human_value,
        human_scores.annotators,
        human_scores.annotation_squares
    from trial_values
    inner join human_scores
        on
            trial_values.experiment_id = human_scores.experiment_id
            and trial_values.source = human_scores.source
            and trial_values.source_run_id = human_scores.source_run_id
            and trial_values.metric = human_scores.metric
    where
        trial_values.experiment_id = any(
            array(select distinct annotations.experiment_id from annotations)
        )
        and trial_values.value_source = 'score'
        and trial_values.value is not null
),

annotated_trials as (
    select *
    from evaluation_trials
    where
        experiment_id = any(
            array(select distinct annotations.experiment_id from annotations)
        )
),

readings as (
    select
        trials.experiment_id,
        trials.source,
        trials.source_run_id,
        trials.result_id,
        trials.task_id,
        trials.experiment_group,
        trials.extension_version,
        trials.agent_name,
        judged_keys.evaluator_key,
        coalesce(trials.evaluator_versions ->> judged_keys.evaluator_key, '')
            as judge_version,
        read_twice.metric,
        coalesce(group_roles.role, experiment_groups.role) as group_role,
        trials.metadata -> 'category' as category,
        coalesce(
            nullif(trials.metadata ->> 'cluster_id', ''), trials.task_id
        ) as cluster_id,
        read_twice.judge_value,
        read_twice.human_value,
        read_twice.annotators,
        read_twice.annotation_squares,
        trials.recorded_at
    from read_twice
    inner join annotated_trials as trials
        on
            read_twice.experiment_id = trials.experiment_id
            and read_twice.source = trials.source
            and read_twice.source_run_id = trials.source_run_id
    cross join
        lateral
        jsonb_object_keys(trials.scores) as judged_keys (evaluator_key)
    left join evaluator_metrics
        on judged_keys.evaluator_key = evaluator_metrics.evaluator_key
    left join group_roles
        on
            trials.experiment_id = group_roles.experiment_id
            and trials.experiment_group = group_roles.experiment_group
    left join experiment_groups
        on trials.experiment_group = experiment_groups.experiment_group
    where
        coalesce(evaluator_metrics.metric, judged_keys.evaluator_key)
        = read_twice.metric
        -- the key that counts, as in run_values
        and not jsonb_exists_any(
            trials.scores, coalesce(evaluator_metrics.preferred_keys, '{}')
        )
)

select * from readings
