{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=["experiment_id", "result_id"],
        indexes=[
            {"columns": ["recorded_at"]},
            {"columns": ["agent_name", "recorded_at"]},
            {"columns": ["experiment_group", "recorded_at"]},
        ],
        pre_hook="{{
            start_build(
                parents=['evaluation_trials', 'evaluation_scores'],
                settings=['pass_k'],
            )
        }}",
        post_hook="{{ finish_build() }}",
    )
}}

with

evaluation_trials as (
    {{ changed_rows(ref('evaluation_trials')) }}
),

evaluation_scores as (
    {{ changed_rows(ref('evaluation_scores')) }}
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
        count(*) filter (where success) as successes,
        max(load_id) as load_id,
        bool_and(success) as success,
        max(recorded_at) as recorded_at,
        min(first_loaded_at) as created_at,
        max(loaded_at) as updated_at
    from evaluation_trials
    group by experiment_id, result_id
),

built_in_metrics as (
    select
        experiment_id,
        result_id,
        max(value) filter (where metric = 'accuracy') as accuracy,
        max(value) filter (where metric = 'completeness') as completeness,
        max(value) filter (where metric = 'efficiency') as efficiency,
        max(value) filter (where metric = 'integration_quality')
            as integration_quality,
        max(value) filter (where metric = 'latency_ms') as latency_ms,
        max(value) filter (where metric = 'tokens_used') as tokens_used,
        max(value) filter (where metric = 'cost_usd') as cost_usd
    from evaluation_scores
    group by experiment_id, result_id
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
        aggregated_trials.error_message,
        built_in_metrics.accuracy,
        built_in_metrics.completeness,
        built_in_metrics.efficiency,
        built_in_metrics.integration_quality,
        built_in_metrics.latency_ms,
        built_in_metrics.tokens_used,
        built_in_metrics.cost_usd,
        aggregated_trials.success_rate::double precision as success_rate,
        {{ statistical_function('pass_at_k') }}(
            aggregated_trials.repetitions,
            aggregated_trials.successes,
            {{ var('pass_k') }}
        ) as pass_at_k,
        {{ statistical_function('pass_hat_k') }}(
            aggregated_trials.repetitions,
            aggregated_trials.successes,
            {{ var('pass_k') }}
        ) as pass_hat_k,
        aggregated_trials.repetitions::integer as repetitions,
        aggregated_trials.successes::integer as successes,
        aggregated_trials.load_id,
        aggregated_trials.success,
        latest_trials.evaluator_versions,
        latest_trials.metadata,
        aggregated_trials.recorded_at,
        aggregated_trials.created_at,
        aggregated_trials.updated_at
    from latest_trials
    inner join aggregated_trials
        on
            latest_trials.experiment_id = aggregated_trials.experiment_id
            and latest_trials.result_id = aggregated_trials.result_id
    left join built_in_metrics
        on
            latest_trials.experiment_id = built_in_metrics.experiment_id
            and latest_trials.result_id = built_in_metrics.result_id
)

select * from joined
