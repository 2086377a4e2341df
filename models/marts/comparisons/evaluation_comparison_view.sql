{{
    config(
        unique_key=[
            "experiment_id", "task_id", "candidate_group", "candidate_version"
        ],
        indexes=[
            {
                "columns": [
                    "experiment_id",
                    "candidate_group",
                    "candidate_version",
                    "primary_difference",
                    "task_id",
                ],
            },
        ],
    )
}}

with

results_paired as (
    {{ changed_rows(ref('int_results_paired')) }}
),

-- those of both arms; the control's may be another
experiments as (
    select experiment_id from results_paired
    union distinct
    select control_experiment_id as experiment_id from results_paired
),

evaluation_results as not materialized (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'experiments', 'experiment_id'
        )
    }}
),

evaluation_scores as not materialized (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'experiments', 'experiment_id'
        )
    }}
),

metric_directions as (
    select * from {{ ref('int_metric_directions') }}
),

metric_ties as (
    select * from {{ ref('int_metric_ties') }}
),

said_directions as materialized (
    {{
        said_directions(
            'array(select distinct experiment_id from results_paired)'
            if is_incremental() else none
        )
    }}
),

joined as (
    select
        results_paired.experiment_id,
        results_paired.task_id,
        results_paired.candidate_group,
        results_paired.candidate_version,
        results_paired.control_experiment_id as baseline_experiment_id,
        baselines.experiment_group as baseline_group,
        baselines.extension_version as baseline_version,
        results_paired.candidate_result_id,
        results_paired.baseline_result_id,
        candidates.agent_name,
        candidates.model_version as candidate_model_version,
        baselines.model_version as baseline_model_version,
        results_paired.primary_metric,
        results_paired.not_comparable_reason,
        results_paired.quarantine_reason,
        results_paired.is_quarantined,
        results_paired.is_quarantine_expired,
        baselines.accuracy as baseline_accuracy,
        candidates.accuracy as candidate_accuracy,
        baselines.completeness as baseline_completeness,
        candidates.completeness as candidate_completeness,
        baselines.efficiency as baseline_efficiency,
        candidates.efficiency as candidate_efficiency,
        baselines.integration_quality as baseline_integration_quality,
        candidates.integration_quality as candidate_integration_quality,
        baselines.latency_ms as baseline_latency_ms,
        candidates.latency_ms as candidate_latency_ms,
        baselines.tokens_used as baseline_tokens_used,
        candidates.tokens_used as candidate_tokens_used,
        baselines.cost_usd as baseline_cost_usd,
        candidates.cost_usd as candidate_cost_usd,
        baseline_scores.value as baseline_primary_value,
        candidate_scores.value as candidate_primary_value,
        case {{ metric_direction(
                'results_paired.primary_metric',
                'candidate_scores.kind',
                'metric_directions.direction',
                'said_directions.direction',
            ) }}
            when 'lower' then -1
            else 1
        end
        * (candidate_scores.value::numeric - baseline_scores.value::numeric)
            as exact_difference,
        coalesce(metric_ties.tie_margin, 0) as tie_margin,
        results_paired.not_comparable_reason is null as is_comparable,
        baselines.success as baseline_success,
        candidates.success as candidate_success,
        case
            when baselines.counted_repetitions = 0 then null
            when baselines.passed_repetitions = 0 then false
            when baselines.passed_repetitions = baselines.counted_repetitions
                then true
        end as baseline_passed,
        case
            when candidates.counted_repetitions = 0 then null
            when candidates.passed_repetitions = 0 then false
            when candidates.passed_repetitions = candidates.counted_repetitions
                then true
        end as candidate_passed,
        baselines.recorded_at as baseline_recorded_at,
        candidates.recorded_at as candidate_recorded_at,
        -- what a task is, told by the candidate's record where there is one
        to_jsonb(coalesce(candidates.agent_name, baselines.agent_name))
            as agent_label,
        coalesce(
            candidates.metadata -> 'category', baselines.metadata -> 'category'
        ) as category_label,
        coalesce(
            candidates.metadata -> 'split', baselines.metadata -> 'split'
        ) as split_label
    from results_paired
    left join evaluation_results as candidates
        on
            results_paired.experiment_id = candidates.experiment_id
            and results_paired.candidate_result_id = candidates.result_id
    left join evaluation_results as baselines
        on
            results_paired.control_experiment_id = baselines.experiment_id
            and results_paired.baseline_result_id = baselines.result_id
    left join evaluation_scores as candidate_scores
        on
            results_paired.experiment_id = candidate_scores.experiment_id
            and results_paired.candidate_result_id = candidate_scores.result_id
            and results_paired.primary_metric = candidate_scores.metric
    left join evaluation_scores as baseline_scores
        on
            results_paired.control_experiment_id = baseline_scores.experiment_id
            and results_paired.baseline_result_id = baseline_scores.result_id
            and results_paired.primary_metric = baseline_scores.metric
    left join metric_directions
        on results_paired.primary_metric = metric_directions.metric
    left join metric_ties
        on results_paired.primary_metric = metric_ties.metric
    left join said_directions
        on
            results_paired.experiment_id = said_directions.experiment_id
            and results_paired.primary_metric = said_directions.metric
),

compared as (
    select
        experiment_id,
        task_id,
        candidate_group,
        candidate_version,
        baseline_experiment_id,
        baseline_group,
        baseline_version,
        candidate_result_id,
        baseline_result_id,
        agent_name,
        candidate_model_version,
        baseline_model_version,
        primary_metric,
        case
            when not is_comparable or exact_difference is null then null
            when exact_difference > tie_margin then 'candidate'
            when exact_difference < -tie_margin then 'baseline'
            else 'tie'
        end as winner,
        not_comparable_reason,
        array(
            select distinct {{ segment_name('labels.kind', 'names.name') }}
            from (
                values
                ('agent', joined.agent_label),
                ('category', joined.category_label),
                ('split', joined.split_label)
            ) as labels (kind, label)
            cross join lateral {{ label_names('labels.label') }}
            where {{ is_segment_name() }}
            order by 1
        ) as segments,
        quarantine_reason,
        baseline_accuracy,
        candidate_accuracy,
        baseline_completeness,
        candidate_completeness,
        baseline_efficiency,
        candidate_efficiency,
        baseline_integration_quality,
        candidate_integration_quality,
        baseline_latency_ms,
        candidate_latency_ms,
        baseline_tokens_used,
        candidate_tokens_used,
        baseline_cost_usd,
        candidate_cost_usd,
        baseline_primary_value,
        candidate_primary_value,
        {{ function('to_double') }}(exact_difference) as primary_difference,
        case when is_comparable then {{
            improvement_pct('baseline_accuracy', 'candidate_accuracy')
        }} end as accuracy_improvement_pct,
        case when is_comparable then {{
            improvement_pct('baseline_completeness', 'candidate_completeness')
        }} end as completeness_improvement_pct,
        case when is_comparable then {{
            improvement_pct('baseline_efficiency', 'candidate_efficiency')
        }} end as efficiency_improvement_pct,
        case when is_comparable then {{
            improvement_pct(
                'baseline_integration_quality', 'candidate_integration_quality'
            )
        }} end as integration_quality_improvement_pct,
        case when is_comparable then {{
            reduction_pct('baseline_latency_ms', 'candidate_latency_ms')
        }} end as latency_reduction_pct,
        case when is_comparable then {{
            reduction_pct('baseline_tokens_used', 'candidate_tokens_used')
        }} end as tokens_reduction_pct,
        case when is_comparable then {{
            reduction_pct('baseline_cost_usd', 'candidate_cost_usd')
        }} end as cost_reduction_pct,
        is_comparable,
        is_quarantined,
        is_quarantine_expired,
        baseline_success,
        candidate_success,
        baseline_passed,
        candidate_passed,
        baseline_recorded_at,
        candidate_recorded_at
    from joined
)

select * from compared
