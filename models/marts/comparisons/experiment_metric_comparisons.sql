{#
    Multiplicity over the metrics of one comparison (Holm 1979; Benjamini and
    Hochberg 1995): a null p-value is no test and is not counted.
#}
{{
    config(
        unique_key=[
            "experiment_id", "candidate_group", "candidate_version", "metric"
        ],
    )
}}
{%- set comparison = 'experiment_id, candidate_group, candidate_version' %}

with

evidence as (
    {{ changed_rows(ref('int_metric_evidence')) }}
),

stepped as (
    select
        *,
        {{ holm_step('p_value', comparison) }} as holm_step,
        {{ bh_step('p_value', comparison) }} as bh_step
    from evidence
    where segment = ''
),

adjusted as (
    select
        *,
        {{ holm_p_value('holm_step', 'p_value', comparison) }} as p_value_holm,
        {{ bh_p_value('bh_step', 'p_value', comparison) }} as p_value_bh
    from stepped
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
        direction_source,
        role,
        role_note,
        method,
        finding,
        n_tasks,
        n_planned_tasks,
        n_pairs,
        n_baseline_only,
        n_candidate_only,
        n_incomparable,
        n_quarantined::integer as n_quarantined,
        n_quarantined_worse::integer as n_quarantined_worse,
        n_quarantined_better::integer as n_quarantined_better,
        n_unscored,
        n_clusters,
        n_ratio_excluded,
        wins,
        losses,
        ties,
        required_repetitions,
        n_candidates,
        weight,
        non_inferiority_margin,
        pair_coverage,
        baseline_coverage,
        candidate_coverage,
        effective_clusters,
        baseline_mean,
        baseline_mean_low,
        baseline_mean_high,
        candidate_mean,
        candidate_mean_low,
        candidate_mean_high,
        mean_difference,
        unpaired_mean_difference,
        relative_change,
        stddev_difference,
        pair_correlation,
        standard_error,
        standard_error_clustered,
        degrees_of_freedom,
        ci_low,
        ci_high,
        p_value,
        p_value_exact,
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
        minimum_detectable_effect,
        improvement,
        improvement_error,
        improvement_low,
        improvement_high,
        improvement_sequence_low,
        improvement_sequence_high,
        improvement_margin,
        improvement_pct,
        improvement_low_pct,
        improvement_high_pct,
        margin_pct,
        detectable_improvement,
        improvement_missing_as_zero,
        lower_improvement,
        lower_improvement_error,
        either_improvement_low,
        either_improvement_sequence_low,
        p_better,
        p_worse,
        p_lost,
        p_better_anytime,
        p_worse_anytime,
        p_lost_anytime,
        either_p_worse,
        either_p_worse_anytime,
        either_p_worse_fixed_tasks,
        p_worse_holm,
        p_better_holm_candidates,
        variance_between_tasks,
        variance_within_task,
        standard_error_fixed_tasks,
        degrees_of_freedom_fixed_tasks,
        fixed_tasks_low,
        fixed_tasks_high,
        p_better_fixed_tasks,
        p_worse_fixed_tasks,
        p_lost_fixed_tasks,
        cs_low,
        cs_high,
        p_anytime,
        mean_difference_missing_as_zero,
        worst_case_low,
        best_case_high,
        is_declared,
        is_of_ratio_kind,
        is_fraction,
        is_difference_instead,
        has_zero_baseline,
        has_zero_variance,
        is_equivalent,
        is_underpowered,
        flags
    from adjusted
)

select * from metric_comparisons
