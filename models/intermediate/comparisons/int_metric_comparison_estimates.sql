{#
    Estimates, intervals and tests of each reading of a comparison, from its
    moments: one row in, one row out, no pass over the pairs. A standard
    deviation that is rounding noise counts as 0. What is undefined is null.
    Its steps are macros of macros/estimates, read in this order.

    The improvement is what decides: signed so that more is better, on the
    scale of the margin; differences of scores, the mean log ratio of latency,
    tokens and cost, and, where too many of these are 0 on one side, the
    difference in units of the baseline's mean.
#}
{%- set key = [
    "experiment_id",
    "candidate_group",
    "candidate_version",
    "segment",
    "metric",
    "counts_missing",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        meta={
            "settings": [
                "alpha",
                "planned_tasks",
                "minimum_coverage",
                "default_score_margin",
                "default_ratio_margin",
            ],
        },
    )
}}
{%- set alpha = var('alpha') %}

with

pair_moments as (
    {{ changed_rows(ref('int_metric_pair_moments')) }}
),

metric_margins as (
    select * from {{ ref('int_metric_margins') }}
),

moments as (
    select
        pair_moments.*,
        metric_margins.weight,
        metric_margins.non_inferiority_margin
    from pair_moments
    left join metric_margins
        on pair_moments.metric = metric_margins.metric
),

{{ estimate_errors() }},

{{ estimate_intervals() }},

{{ estimate_tests() }},

{{ estimate_plans() }},

estimates as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing,
        kind,
        direction,
        method,
        whole_segments,
        is_declared,
        is_direction_said,
        is_deciding,
        is_metric_guessed,
        is_evaluator_one_sided,
        has_uneven_repetitions,
        is_in_one_arm,
        is_of_ratio_kind,
        is_fraction,
        is_difference_instead,
        n_tasks,
        n_planned_tasks,
        n_pairs,
        n_baseline_only,
        n_candidate_only,
        n_incomparable,
        n_unscored,
        n_clusters,
        case
            when is_of_ratio_kind then n_pairs - n_ratio_pairs
        end as n_ratio_excluded,
        wins,
        losses,
        n_pairs - wins - losses as ties,
        case
            when
                not is_of_ratio_kind
                and detectable_improvement > improvement_margin
                and affordable_noise > 0
                and variance_within_task > 0
                then ceil(least(
                    repetitions * {{ statistical_function('safe_divide') }}(
                        variance_within_task, affordable_noise
                    ),
                    1e15
                ))
        end::bigint as required_repetitions,
        direction_sign,
        weight,
        non_inferiority_margin,
        margin,
        baseline_coverage,
        candidate_coverage,
        least(
            -- least() passes over a null, and an arm without a run has none
            coalesce(baseline_coverage, 0),
            coalesce(candidate_coverage, 0),
            n_shared_tasks::float8
            / greatest(
                n_tasks, case when segment = '' then n_planned_tasks end
            )
        ) as pair_coverage,
        baseline_mean,
        {{ statistical_function('wilson_lower') }}(
            case
                when is_fraction
                    then coalesce(baseline_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as baseline_mean_low,
        {{ statistical_function('wilson_upper') }}(
            case
                when is_fraction
                    then coalesce(baseline_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as baseline_mean_high,
        candidate_mean,
        {{ statistical_function('wilson_lower') }}(
            case
                when is_fraction
                    then coalesce(candidate_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as candidate_mean_low,
        {{ statistical_function('wilson_upper') }}(
            case
                when is_fraction
                    then coalesce(candidate_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as candidate_mean_high,
        mean_difference,
        (
            (coalesce(candidate_mean * n_pairs, 0) + lone_candidate_sum)
            / nullif(n_pairs + n_candidate_only, 0)
            - (coalesce(baseline_mean * n_pairs, 0) + lone_baseline_sum)
            / nullif(n_pairs + n_baseline_only, 0)
        ) as unpaired_mean_difference,
        case
            when not has_zero_baseline
                then direction_sign * {{ statistical_function('safe_divide') }}(
                    mean_difference, abs(baseline_mean)
                )
        end as relative_change,
        stddev_difference,
        case
            when
                n_pairs > 1
                and sqrt(baseline_squares / (n_pairs - 1))
                > {{ rounding_noise() }} * baseline_scale
                and sqrt(candidate_squares / (n_pairs - 1))
                > {{ rounding_noise() }} * candidate_scale
                then greatest(-1, least(1, cross_products / (
                    sqrt(baseline_squares) * sqrt(candidate_squares)
                )))
        end as pair_correlation,
        standard_error,
        standard_error_clustered,
        degrees_of_freedom,
        effective_clusters,
        ci_low,
        ci_high,
        case
            when p_better is not null
                then least(1, 2 * least(p_better, p_worse))
        end as p_value,
        p_value_exact,
        case
            when n_pairs > 0
                then {{ statistical_function('sign_test_p_value') }}(
                    wins, losses
                )
        end as p_sign_test,
        {{ statistical_function('safe_divide') }}(
            mean_difference, stddev_difference
        ) as effect_size_dz,
        0.5 + 0.5 * (wins - losses) / nullif(n_pairs, 0)::float8
            as probability_of_superiority,
        case
            when is_ratio
                then {{ statistical_function('safe_exp') }}(
                    mean_log_ratio
                )
        end as ratio,
        case
            when is_ratio
                then {{ statistical_function('safe_exp') }}(
                    mean_log_ratio - log_half_width
                )
        end as ratio_low,
        case
            when is_ratio
                then {{ statistical_function('safe_exp') }}(
                    mean_log_ratio + log_half_width
                )
        end as ratio_high,
        p_lost as p_non_inferiority,
        case
            when p_lost is not null and p_non_superiority is not null
                then greatest(p_lost, p_non_superiority)
        end as p_equivalence,
        minimum_detectable_effect,
        improvement,
        improvement_error,
        improvement_degrees_of_freedom,
        n_improvement_pairs,
        improvement_clusters,
        improvement_margin,
        improvement_low,
        improvement_high,
        improvement - sequence_half_width as improvement_sequence_low,
        improvement + sequence_half_width as improvement_sequence_high,
        detectable_improvement,
        p_better,
        p_worse,
        p_lost,
        p_better_anytime,
        p_worse_anytime,
        p_lost_anytime,
        variance_between_tasks,
        variance_within_task,
        standard_error_fixed_tasks,
        degrees_of_freedom_fixed_tasks,
        improvement - fixed_tasks_half_width as fixed_tasks_low,
        improvement + fixed_tasks_half_width as fixed_tasks_high,
        p_better_fixed_tasks,
        p_worse_fixed_tasks,
        p_lost_fixed_tasks,
        direction_sign * improvement - sequence_half_width as cs_low,
        direction_sign * improvement + sequence_half_width as cs_high,
        case
            when p_better_anytime is not null
                then least(1, 2 * least(p_better_anytime, p_worse_anytime))
        end as p_anytime,
        -- where lower is better the worst is not 0 but 1
        case
            when kind = 'score' and n_countable_tasks > 0
                then (
                    candidate_recorded - baseline_recorded
                    + case
                        when direction = 'lower'
                            then candidate_missing - baseline_missing
                        else 0
                    end
                ) / n_countable_tasks
        end as mean_difference_missing_as_zero,
        case
            when kind = 'score' and n_countable_tasks > 0
                then (
                    candidate_recorded - baseline_recorded - baseline_missing
                ) / n_countable_tasks
        end as worst_case_low,
        case
            when kind = 'score' and n_countable_tasks > 0
                then (
                    candidate_recorded - baseline_recorded + candidate_missing
                ) / n_countable_tasks
        end as best_case_high,
        has_zero_baseline,
        stddev_difference = 0 or robust_error = 0 as has_zero_variance
    from requirements
)

select * from estimates
