{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=["experiment_id", "candidate_group", "candidate_version"],
        indexes=[{"columns": ["last_recorded_at"]}],
        pre_hook="{{
            start_build(
                parents=[
                    'evaluation_scores',
                    'int_results_paired',
                    'evaluation_comparison_view',
                ],
                seeds=['metrics'],
                settings=[
                    'legacy_deploy_above_pct',
                    'legacy_reject_below_pct',
                    'legacy_max_degradation_pct',
                    'legacy_min_candidate_mean',
                ],
                include_linked=true,
            )
        }}",
        post_hook="{{ finish_build() }}",
    )
}}

with

comparisons as (
    {{ changed_rows(ref('evaluation_comparison_view')) }}
),

metric_pairs as (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

counted as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        min(baseline_experiment_id) as baseline_experiment_id,
        (
            array_agg(
                agent_name
                order by candidate_recorded_at desc, task_id collate "C"
            ) filter (where agent_name is not null)
        )[1] as agent_name,
        min(primary_metric) as primary_metric,
        count(*) filter (
            where
            baseline_result_id is not null
            and candidate_result_id is not null
        ) as total_tasks,
        count(*) filter (where winner = 'candidate') as candidate_wins,
        count(*) filter (where winner = 'baseline') as baseline_wins,
        count(*) filter (where winner = 'tie') as ties,
        count(*) filter (
            where
            baseline_result_id is not null
            and candidate_result_id is not null
            and winner is null
        ) as undecided_tasks,
        count(*) filter (
            where
            baseline_result_id is not null
            and candidate_result_id is not null
            and not is_comparable
        ) as incomparable_tasks,
        count(*) filter (where candidate_result_id is null)
            as baseline_only_tasks,
        count(*) filter (where baseline_result_id is null)
            as candidate_only_tasks,
        avg(accuracy_improvement_pct::numeric)
            as avg_accuracy_improvement_pct,
        avg(completeness_improvement_pct::numeric)
            as avg_completeness_improvement_pct,
        avg(efficiency_improvement_pct::numeric)
            as avg_efficiency_improvement_pct,
        avg(integration_quality_improvement_pct::numeric)
            as avg_integration_quality_improvement_pct,
        avg(latency_reduction_pct::numeric) as avg_latency_reduction_pct,
        avg(tokens_reduction_pct::numeric) as avg_tokens_reduction_pct,
        avg(cost_reduction_pct::numeric) as avg_cost_reduction_pct,
        least(min(baseline_recorded_at), min(candidate_recorded_at))
            as first_recorded_at,
        greatest(max(baseline_recorded_at), max(candidate_recorded_at))
            as last_recorded_at
    from comparisons
    group by experiment_id, candidate_group, candidate_version
),

metric_means as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        kind,
        weight,
        direction_sign,
        avg(improvement_pct) as avg_improvement_pct,
        avg(baseline_value) as baseline_mean,
        avg(candidate_value) as candidate_mean
    from metric_pairs
    where weight > 0
    group by
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        kind,
        weight,
        direction_sign
),

-- weights are shared out over the metrics that both arms have
weighted as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        sum(weight * avg_improvement_pct)
        / sum(weight) filter (where avg_improvement_pct is not null)
            as weighted_improvement_pct,
        bool_or(
            100 * direction_sign * (candidate_mean - baseline_mean)
            / nullif(abs(baseline_mean), 0)
            < -{{ var('legacy_max_degradation_pct') }}
        ) as has_degraded_metric,
        bool_or(
            kind = 'score'
            and candidate_mean < {{ var('legacy_min_candidate_mean') }}
        ) as has_low_score
    from metric_means
    group by experiment_id, candidate_group, candidate_version
),

judged as (
    select
        counted.experiment_id,
        counted.candidate_group,
        counted.candidate_version,
        counted.baseline_experiment_id,
        counted.agent_name,
        counted.primary_metric,
        case
            when weighted.has_degraded_metric or weighted.has_low_score
                then 'reject'
            when
                weighted.weighted_improvement_pct
                > {{ var('legacy_deploy_above_pct') }}
                then 'deploy'
            when
                weighted.weighted_improvement_pct
                < {{ var('legacy_reject_below_pct') }}
                then 'reject'
            else 'needs_review'
        end as legacy_recommendation,
        counted.total_tasks::integer as total_tasks,
        counted.candidate_wins::integer as candidate_wins,
        counted.baseline_wins::integer as baseline_wins,
        counted.ties::integer as ties,
        counted.undecided_tasks::integer as undecided_tasks,
        counted.incomparable_tasks::integer as incomparable_tasks,
        counted.baseline_only_tasks::integer as baseline_only_tasks,
        counted.candidate_only_tasks::integer as candidate_only_tasks,
        {% for improvement in [
            'avg_accuracy_improvement_pct',
            'avg_completeness_improvement_pct',
            'avg_efficiency_improvement_pct',
            'avg_integration_quality_improvement_pct',
            'avg_latency_reduction_pct',
            'avg_tokens_reduction_pct',
            'avg_cost_reduction_pct',
        ] %}
            {{ function('to_double') }}(counted.{{ improvement }})
                as {{ improvement }},
        {% endfor %}
        {{ function('to_double') }}(weighted.weighted_improvement_pct)
            as weighted_improvement_pct,
        counted.first_recorded_at,
        counted.last_recorded_at
    from counted
    left join weighted
        on
            counted.experiment_id = weighted.experiment_id
            and counted.candidate_group = weighted.candidate_group
            and counted.candidate_version = weighted.candidate_version
)

select * from judged
