{{
    config(
        unique_key=["experiment_id", "result_id"],
        indexes=[
            {"columns": ["recorded_at"]},
            {"columns": ["agent_name", "recorded_at"]},
            {"columns": ["experiment_group", "recorded_at"]},
        ],
        meta={"settings": ["pass_k", "pass_metric", "primary_metric"]},
    )
}}

with

evaluation_trials as (
    {{ changed_rows(ref('evaluation_trials')) }}
),

evaluation_scores as (
    {{ changed_rows(ref('evaluation_scores')) }}
),

deciding_metrics as (
    {{ changed_rows(ref('int_deciding_metrics')) }}
),

-- what cannot be averaged is that of the latest repetition
latest_trials as (
    select distinct on (experiment_id, result_id) *
    from evaluation_trials
    order by
        experiment_id asc,
        result_id asc,
        recorded_at desc,
        trial_number desc
),

aggregated_trials as (
    select
        experiment_id,
        result_id,
        (
            array_agg(
                error_message
                order by recorded_at desc, trial_number desc
            ) filter (where error_message is not null)
        )[1] as error_message,
        avg(success::integer) as success_rate,
        count(*) as repetitions,
        count(success) as said_repetitions,
        count(*) filter (where success) as successes,
        count(*) filter (where not success) as failed_repetitions,
        max(load_id) as load_id,
        bool_and(success) as success,
        max(recorded_at) as recorded_at,
        min(first_loaded_at) as created_at,
        max(loaded_at) as updated_at
    from evaluation_trials
    group by experiment_id, result_id
),

-- where failures alone are said, the rest is not known to have failed or not
said_successes as (
    select
        experiment_id,
        bool_or(success) or bool_and(success is not null) as is_said
    from evaluation_trials
    group by experiment_id
),

-- what a pass goes by: one metric for all results of an experiment
pass_metrics as (
    select
        said_successes.experiment_id,
        deciding_metrics.pass_score,
        {% if var('pass_metric') not in ('', 'success') %}
            deciding_metrics.pass_score as pass_metric
        {% else %}
            coalesce(
                deciding_metrics.pass_score,
                case when said_successes.is_said then 'success' end
            ) as pass_metric
        {% endif %}
    from said_successes
    left join deciding_metrics
        on said_successes.experiment_id = deciding_metrics.experiment_id
),

-- of scores by the name of the metric, so that they are read once
result_metrics as (
    select
        evaluation_scores.experiment_id,
        evaluation_scores.result_id,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'accuracy'
        ) as accuracy,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'completeness'
        ) as completeness,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'efficiency'
        ) as efficiency,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'integration_quality'
        ) as integration_quality,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'latency_ms'
        ) as latency_ms,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'tokens_used'
        ) as tokens_used,
        max(evaluation_scores.value) filter (
            where evaluation_scores.metric = 'cost_usd'
        ) as cost_usd,
        max(evaluation_scores.repetitions) filter (
            where evaluation_scores.metric = pass_metrics.pass_score
        ) as scored_repetitions,
        max(evaluation_scores.failed_repetitions) filter (
            where evaluation_scores.metric = pass_metrics.pass_score
        ) as scored_failures,
        max(evaluation_scores.passes) filter (
            where evaluation_scores.metric = pass_metrics.pass_score
        ) as passes
    from evaluation_scores
    left join pass_metrics
        on evaluation_scores.experiment_id = pass_metrics.experiment_id
    group by evaluation_scores.experiment_id, evaluation_scores.result_id
),

-- a run that failed without a score is a trial that did not pass; a run that
-- says neither is none
counted_trials as (
    select
        aggregated_trials.*,
        pass_metrics.pass_metric,
        result_metrics.accuracy,
        result_metrics.completeness,
        result_metrics.efficiency,
        result_metrics.integration_quality,
        result_metrics.latency_ms,
        result_metrics.tokens_used,
        result_metrics.cost_usd,
        case
            when pass_metrics.pass_score is not null
                then
                    coalesce(result_metrics.scored_repetitions, 0)
                    + aggregated_trials.failed_repetitions
                    - coalesce(result_metrics.scored_failures, 0)
            when pass_metrics.pass_metric is not null
                then aggregated_trials.said_repetitions
        end as counted_repetitions,
        case
            when pass_metrics.pass_score is not null
                then coalesce(result_metrics.passes, 0)
            when pass_metrics.pass_metric is not null
                then aggregated_trials.successes
            else 0
        end as passed_repetitions
    from aggregated_trials
    inner join pass_metrics
        on aggregated_trials.experiment_id = pass_metrics.experiment_id
    left join result_metrics
        on
            aggregated_trials.experiment_id = result_metrics.experiment_id
            and aggregated_trials.result_id = result_metrics.result_id
),

joined as (
    select
        latest_trials.experiment_id,
        latest_trials.result_id,
        latest_trials.task_id,
        latest_trials.experiment_group,
        latest_trials.extension_version,
        latest_trials.model_version,
        latest_trials.agent_name,
        latest_trials.dataset_version,
        latest_trials.baseline_experiment_id,
        counted_trials.error_message,
        counted_trials.pass_metric,
        counted_trials.accuracy,
        counted_trials.completeness,
        counted_trials.efficiency,
        counted_trials.integration_quality,
        counted_trials.latency_ms,
        counted_trials.tokens_used,
        counted_trials.cost_usd,
        counted_trials.success_rate::double precision as success_rate,
        {{ statistical_function('pass_at_k') }}(
            counted_trials.counted_repetitions,
            counted_trials.passed_repetitions,
            {{ var('pass_k') }}
        ) as pass_at_k,
        {{ statistical_function('pass_hat_k') }}(
            counted_trials.counted_repetitions,
            counted_trials.passed_repetitions,
            {{ var('pass_k') }}
        ) as pass_hat_k,
        counted_trials.repetitions::integer as repetitions,
        counted_trials.said_repetitions::integer as said_repetitions,
        counted_trials.successes::integer as successes,
        counted_trials.failed_repetitions::integer as failed_repetitions,
        coalesce(counted_trials.counted_repetitions, 0)::integer
            as counted_repetitions,
        counted_trials.passed_repetitions::integer as passed_repetitions,
        counted_trials.load_id,
        counted_trials.success,
        latest_trials.evaluator_versions,
        latest_trials.metadata,
        counted_trials.recorded_at,
        counted_trials.created_at,
        counted_trials.updated_at
    from latest_trials
    inner join counted_trials
        on
            latest_trials.experiment_id = counted_trials.experiment_id
            and latest_trials.result_id = counted_trials.result_id
)

select * from joined
