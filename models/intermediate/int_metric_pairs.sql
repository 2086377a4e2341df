with

results_paired as (
    select * from {{ ref('int_results_paired') }}
),

baseline_scores as (
    select * from {{ ref('evaluation_scores') }}
),

candidate_scores as (
    select * from {{ ref('evaluation_scores') }}
),

metrics as (
    select * from {{ ref('metrics') }}
),

paired_values as (
    select
        results_paired.experiment_id,
        results_paired.task_id,
        results_paired.candidate_group,
        results_paired.candidate_version,
        candidate_scores.metric,
        candidate_scores.kind,
        coalesce(metrics.weight, 0) as weight,
        case when metrics.direction = 'lower' then -1 else 1 end
            as direction_sign,
        baseline_scores.value::numeric as baseline_value,
        candidate_scores.value::numeric as candidate_value
    from results_paired
    inner join candidate_scores
        on
            results_paired.experiment_id = candidate_scores.experiment_id
            and results_paired.candidate_result_id = candidate_scores.result_id
    inner join baseline_scores
        on
            results_paired.control_experiment_id = baseline_scores.experiment_id
            and results_paired.baseline_result_id = baseline_scores.result_id
            and candidate_scores.metric = baseline_scores.metric
    left join metrics
        on candidate_scores.metric = metrics.metric
    where
        results_paired.not_comparable_reason is null
        and baseline_scores.value is not null
        and candidate_scores.value is not null
),

improvements as (
    select
        *,
        direction_sign * (candidate_value - baseline_value) as improvement,
        case
            when kind = 'score'
                then 100 * direction_sign * (candidate_value - baseline_value)
            else
                100 * direction_sign * (candidate_value - baseline_value)
                / nullif(abs(baseline_value), 0)
        end as improvement_pct
    from paired_values
)

select * from improvements
