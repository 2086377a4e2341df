{#
    A segment of all tasks repeats the comparison as a whole: its row is copied,
    not computed again. Paired differences of parts average to that of the
    whole, so a paradox shows against the unpaired difference that people see,
    or where tasks are in several segments or in none.
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment_kind",
            "segment",
            "metric",
        ],
    )
}}
{%- set family
    = 'experiment_id, candidate_group, candidate_version, metric, segment_kind'
%}

with

estimates as (
    {{ changed_rows(ref('int_metric_evidence')) }}
),

whole_estimates as (
    select * from estimates
    where segment = ''
),

part_segments as (
    select
        *,
        segment as segment_label
    from estimates
    where segment != ''
    union all
    select
        whole_estimates.*,
        whole_segments.segment_label
    from whole_estimates
    cross join
        lateral
        unnest(whole_estimates.whole_segments)
            as whole_segments (segment_label)
),

labelled as (
    select
        part_segments.*,
        split_part(part_segments.segment_label, ':', 1) as segment_kind,
        substr(
            part_segments.segment_label,
            strpos(part_segments.segment_label, ':') + 1
        ) as segment_name
    from part_segments
),

compared_to_whole as (
    select
        labelled.*,
        whole_estimates.mean_difference as pooled_mean_difference,
        whole_estimates.unpaired_mean_difference
            as pooled_unpaired_mean_difference
    from labelled
    inner join whole_estimates
        on {{ is_same_comparison('labelled', 'whole_estimates', ['metric']) }}
),

stepped as (
    select
        *,
        {{ bh_step('p_value', family) }} as bh_step,
        count(mean_difference) over segments as n_segments,
        min(sign(mean_difference)) over segments as least_sign,
        max(sign(mean_difference)) over segments as greatest_sign
    from compared_to_whole
    window segments as (partition by {{ family }})
),

adjusted as (
    select
        *,
        {{ bh_p_value('bh_step', 'p_value', family) }} as p_value_bh,
        coalesce(
            n_segments > 1
            and least_sign = greatest_sign
            and (
                least_sign * sign(pooled_mean_difference) < 0
                or least_sign * sign(pooled_unpaired_mean_difference) < 0
            ),
            false
        ) as simpson_flag
    from stepped
),

segment_comparisons as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment_kind,
        segment_name as segment,
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
        n_unscored,
        n_clusters,
        n_ratio_excluded,
        wins,
        losses,
        ties,
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
        pooled_mean_difference,
        pooled_unpaired_mean_difference,
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
        simpson_flag,
        flags
    from adjusted
)

select * from segment_comparisons
