{#
    A view: what it shows is in evaluation_trials and raw. A condition on
    experiment or metric reaches both, since they are part of the key; so
    nothing here is a full join, and nothing is materialized.
#}
{{ config(materialized="view") }}

with

evaluation_trials as (
    select * from {{ ref('evaluation_trials') }}
),

trial_values as (
    select * from {{ ref('int_trial_values') }}
),

human_scores as not materialized (
    select * from {{ ref('int_human_scores') }}
),

annotations as (
    select * from {{ ref('stg_annotations') }}
),

-- a name that is score and measurement at once counts as the score
recorded as not materialized (
    select distinct on (experiment_id, source, source_run_id, metric)
        experiment_id,
        source,
        source_run_id,
        metric,
        kind,
        value_source,
        value
    from trial_values
    order by
        experiment_id asc,
        source asc,
        source_run_id asc,
        metric asc,
        array_position(
            array['field', 'score', 'measurement'], value_source
        ) asc
),

recorded_scores as (
    select
        recorded.experiment_id,
        recorded.source,
        recorded.source_run_id,
        recorded.metric,
        case
            when human_scores.metric is null then recorded.kind
            else 'score'
        end as kind,
        case
            when human_scores.metric is null then recorded.value
            else human_scores.value
        end as value,
        case
            when recorded.value_source = 'score' then recorded.value
        end as judge_value,
        human_scores.value as human_value,
        human_scores.annotators,
        human_scores.annotation_spread
    from recorded
    left join human_scores
        on
            recorded.experiment_id = human_scores.experiment_id
            and recorded.source = human_scores.source
            and recorded.source_run_id = human_scores.source_run_id
            and recorded.metric = human_scores.metric
),

annotated_experiments as (
    select *
    from recorded
    where
        experiment_id = any(
            array(select distinct annotations.experiment_id from annotations)
        )
),

-- what no judge has scored
said_scores as (
    select
        human_scores.experiment_id,
        human_scores.source,
        human_scores.source_run_id,
        human_scores.metric,
        'score' as kind,
        human_scores.value,
        null::numeric as judge_value,
        human_scores.value as human_value,
        human_scores.annotators,
        human_scores.annotation_spread
    from human_scores
    left join annotated_experiments
        on
            human_scores.experiment_id = annotated_experiments.experiment_id
            and human_scores.source = annotated_experiments.source
            and human_scores.source_run_id
            = annotated_experiments.source_run_id
            and human_scores.metric = annotated_experiments.metric
    where annotated_experiments.metric is null
),

all_scores as (
    select * from recorded_scores
    union all
    select * from said_scores
),

joined as (
    select
        trials.experiment_id,
        trials.source,
        trials.source_run_id,
        trials.result_id,
        trials.task_id,
        trials.experiment_group,
        trials.extension_version,
        trials.model_version,
        trials.agent_name,
        trials.inputs_id,
        scores.metric,
        scores.kind,
        trials.trial_number,
        {{ function('to_double') }}(scores.value) as value,
        {{ function('to_double') }}(scores.judge_value) as judge_value,
        {{ function('to_double') }}(scores.human_value) as human_value,
        coalesce(scores.annotators, 0) as annotators,
        {{ function('to_double') }}(scores.annotation_spread)
            as annotation_spread,
        trials.cost_usd,
        trials.success,
        trials.recorded_at
    from all_scores as scores
    inner join evaluation_trials as trials
        on
            scores.experiment_id = trials.experiment_id
            and scores.source = trials.source
            and scores.source_run_id = trials.source_run_id
)

select * from joined
