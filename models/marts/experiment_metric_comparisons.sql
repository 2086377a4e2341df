{#
    Multiplicity over the metrics of one comparison (Holm 1979; Benjamini and
    Hochberg 1995): a null p-value is no test and is not counted.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id", "candidate_group", "candidate_version", "metric"
        ],
        pre_hook="{{
            start_build(
                parents=['int_metric_comparison_estimates'],
                settings=[
                    'alpha',
                    'minimum_coverage',
                    'minimum_effective_clusters',
                ],
                include_linked=true,
            )
        }}",
        post_hook="{{ finish_build() }}",
    )
}}

with

estimates as (
    {{ changed_rows(ref('int_metric_comparison_estimates')) }}
),

whole_estimates as (
    select * from estimates
    where segment = ''
),

ranked as (
    select
        *,
        count(p_value) over comparisons as n_tests,
        row_number() over (
            comparisons
            order by p_value asc nulls last, metric collate "C" asc
        ) as p_rank
    from whole_estimates
    window comparisons as (
        partition by experiment_id, candidate_group, candidate_version
    )
),

adjusted as (
    select
        *,
        case
            when p_value is not null
                then least(1, max(p_value * (n_tests - p_rank + 1)) over (
                    partition by
                        experiment_id, candidate_group, candidate_version
                    order by p_rank
                ))
        end as p_value_holm,
        case
            when p_value is not null
                then least(1, min(p_value * (n_tests / p_rank::float8)) over (
                    partition by
                        experiment_id, candidate_group, candidate_version
                    order by p_rank desc
                ))
        end as p_value_bh
    from ranked
),

flagged as (
    select
        *,
        coalesce(p_equivalence <= {{ var('alpha') }}, false) as is_equivalent,
        coalesce(
            detectable_improvement > improvement_margin
            and improvement_margin > 0,
            false
        ) as is_underpowered,
        {{ comparison_flags() }} as flags
    from adjusted
),

-- in the order of the contract
metric_comparisons as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        kind,
        direction,
        method,
        n_tasks,
        n_pairs,
        n_baseline_only,
        n_candidate_only,
        n_incomparable,
        n_unscored,
        n_clusters,
        n_ratio_excluded,
        wins,
        losses,
        ties,
        required_additional_tasks,
        required_repetitions,
        weight,
        non_inferiority_margin,
        pair_coverage,
        effective_clusters,
        baseline_mean,
        baseline_mean_low,
        baseline_mean_high,
        candidate_mean,
        candidate_mean_low,
        candidate_mean_high,
        mean_difference,
        unpaired_mean_difference,
        avg_improvement_pct,
        relative_change,
        stddev_difference,
        pair_correlation,
        standard_error,
        standard_error_clustered,
        degrees_of_freedom,
        ci_low,
        ci_high,
        p_value,
        p_value_holm,
        p_value_bh,
        p_sign_test,
        effect_size_dz,
        probability_of_superiority,
        ratio,
        ratio_low,
        ratio_high,
        p_non_inferiority,
        p_equivalence,
        p_harm,
        minimum_detectable_effect,
        improvement,
        improvement_low,
        improvement_sequence_low,
        improvement_margin,
        detectable_improvement,
        variance_between_tasks,
        variance_within_task,
        cs_low,
        cs_high,
        p_anytime,
        mean_difference_missing_as_zero,
        worst_case_low,
        best_case_high,
        has_zero_baseline,
        has_zero_variance,
        is_equivalent,
        is_underpowered,
        flags
    from flagged
)

select * from metric_comparisons
