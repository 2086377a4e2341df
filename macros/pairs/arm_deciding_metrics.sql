-- sqlfluff:exclude_rules:LT02
{#
    Second step of int_results_paired, from `candidates`, `controls` and `arms` to
    `primary_metrics`: the metric that decides an arm.
#}
{% macro arm_deciding_metrics() -%}
candidate_metrics as (
    select
        candidates.experiment_id,
        candidates.candidate_group,
        candidates.candidate_version,
        evaluation_scores.metric,
        bool_or(evaluation_scores.kind = 'score') as is_score
    from candidates
    inner join evaluation_scores
        on
            candidates.experiment_id = evaluation_scores.experiment_id
            and candidates.result_id = evaluation_scores.result_id
    group by
        candidates.experiment_id,
        candidates.candidate_group,
        candidates.candidate_version,
        evaluation_scores.metric
    union all
    select distinct
        experiment_id,
        candidate_group,
        candidate_version,
        'success' as metric,
        false as is_score
    from candidates
    where is_said
),

control_metrics as (
    select
        controls.experiment_id,
        evaluation_scores.metric,
        bool_or(evaluation_scores.kind = 'score') as is_score
    from controls
    inner join evaluation_scores
        on
            controls.experiment_id = evaluation_scores.experiment_id
            and controls.result_id = evaluation_scores.result_id
    group by controls.experiment_id, evaluation_scores.metric
    union all
    select distinct
        experiment_id,
        'success' as metric,
        false as is_score
    from controls
    where is_said
),

-- a candidate whose runs all crashed is decided by what its control was scored
arm_metrics as (
    select * from candidate_metrics
    union all
    select
        arms.experiment_id,
        arms.candidate_group,
        arms.candidate_version,
        control_metrics.metric,
        control_metrics.is_score
    from arms
    inner join control_metrics
        on arms.control_experiment_id = control_metrics.experiment_id
),

primary_metrics as (
    select distinct on (
        arm_metrics.experiment_id,
        arm_metrics.candidate_group,
        arm_metrics.candidate_version
    )
        arm_metrics.experiment_id,
        arm_metrics.candidate_group,
        arm_metrics.candidate_version,
        arm_metrics.metric as primary_metric,
        arm_metrics.is_score
        and metrics.metric is null
        and arm_metrics.metric != '{{ var("primary_metric") }}'
            as is_metric_guessed
    from arm_metrics
    left join metrics
        on arm_metrics.metric = metrics.metric
    where
        arm_metrics.is_score
        or arm_metrics.metric in ('{{ var("primary_metric") }}', 'success')
    order by
        arm_metrics.experiment_id asc,
        arm_metrics.candidate_group asc,
        arm_metrics.candidate_version asc,
        {{ deciding_metric_order('arm_metrics') }}
)
{%- endmacro %}
