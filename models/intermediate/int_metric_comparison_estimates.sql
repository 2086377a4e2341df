{#
    Estimates, intervals and tests of each comparison, from its moments: one row
    in, one row out, no pass over the pairs. A standard deviation below 1e-12 of
    the values is rounding noise and counts as 0. What is undefined is null.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment",
            "metric",
        ],
        indexes=[{"columns": ["experiment_id"]}],
        pre_hook="{{
            start_build(
                parents=['int_metric_pair_moments'],
                settings=[
                    'alpha',
                    'planned_tasks',
                ],
                include_linked=true,
            )
        }}",
        post_hook="{{ finish_build() }}",
    )
}}
{%- set alpha = var('alpha') %}
{%- set planned_tasks = var('planned_tasks') %}
{%- set power = 0.8 %}

with

moments as (
    {{ changed_rows(ref('int_metric_pair_moments')) }}
),

raw_spreads as materialized (
    select
        *,
        sqrt(difference_squares / nullif(n_pairs - 1, 0)) as raw_stddev,
        sqrt(squared_cluster_sums)
        * sqrt(n_clusters / nullif(n_clusters - 1, 0)::float8)
        / nullif(n_pairs, 0) as raw_clustered_error,
        sqrt(log_ratio_squares / nullif(n_ratio_pairs - 1, 0))
            as raw_log_stddev,
        sqrt(squared_log_ratio_sums)
        * sqrt(n_ratio_clusters / nullif(n_ratio_clusters - 1, 0)::float8)
        / nullif(n_ratio_pairs, 0) as raw_log_clustered_error
    from moments
),

spreads as materialized (
    select
        *,
        n_clusters < n_pairs as is_clustered,
        n_pairs * (n_pairs / nullif(squared_sizes, 0)) as effective_clusters,
        n_ratio_pairs * (n_ratio_pairs / nullif(squared_ratio_sizes, 0))
            as effective_ratio_clusters,
        case
            when raw_stddev > 1e-12 * scale then raw_stddev
            when raw_stddev is not null then 0
        end as stddev_difference,
        case
            when raw_clustered_error is null then null
            when
                raw_stddev > 1e-12 * scale
                and raw_clustered_error * sqrt(n_clusters) > 1e-12 * scale
                then raw_clustered_error
            else 0
        end as standard_error_clustered,
        case
            when raw_log_stddev > 1e-12 then raw_log_stddev
            when raw_log_stddev is not null then 0
        end as log_stddev,
        case
            when raw_log_clustered_error * sqrt(n_ratio_clusters) > 1e-12
                then raw_log_clustered_error
            when raw_log_clustered_error is not null then 0
        end as log_clustered_error
    from raw_spreads
),

errors as materialized (
    select
        *,
        stddev_difference / sqrt(n_pairs) as standard_error,
        case
            when is_clustered then standard_error_clustered
            else stddev_difference / sqrt(n_pairs)
        end as robust_error,
        case
            when n_ratio_clusters < n_ratio_pairs then log_clustered_error
            else log_stddev / sqrt(n_ratio_pairs)
        end as log_error,
        -- of equal clusters the count less one, as without clusters
        case when n_clusters > 1 then effective_clusters - 1 end
            as degrees_of_freedom,
        case when n_ratio_clusters > 1 then effective_ratio_clusters - 1 end
            as log_degrees_of_freedom,
        kind in ('latency', 'tokens', 'cost') as is_ratio,
        abs(baseline_mean) <= 1e-12 * baseline_scale as has_zero_baseline
    from spreads
),

all_degrees_of_freedom as (
    select degrees_of_freedom from errors
    union distinct
    select log_degrees_of_freedom as degrees_of_freedom from errors
),

-- a quantile is a search: once for each number of degrees of freedom
quantiles as materialized (
    select
        degrees_of_freedom,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, degrees_of_freedom
        ) as critical_value,
        {{ statistical_function('student_t_ppf') }}(
            {{ power }}, degrees_of_freedom
        ) as power_value
    from all_degrees_of_freedom
    where degrees_of_freedom is not null
),

methods as materialized (
    select
        errors.*,
        case
            when errors.is_binary and not errors.is_clustered
                then 'mcnemar_tango'
            when errors.robust_error is null then 'none'
            when errors.robust_error = 0 then 'sign_test'
            when errors.is_clustered then 't_clustered'
            else 't'
        end as method,
        quantiles.critical_value,
        quantiles.power_value,
        log_quantiles.critical_value as log_critical_value,
        log_quantiles.power_value as log_power_value
    from errors
    left join quantiles
        on errors.degrees_of_freedom = quantiles.degrees_of_freedom
    left join quantiles as log_quantiles
        on errors.log_degrees_of_freedom = log_quantiles.degrees_of_freedom
),

-- half widths; null where there is no interval, never 0 and never infinite
half_widths as materialized (
    select
        *,
        nullif(nullif({{ statistical_function('safe_multiply') }}(
            critical_value, nullif(robust_error, 0)
        ), 'Infinity'), 1.7976931348623157e308) as half_width,
        case
            when log_critical_value * log_error between 1e-300 and 300
                then log_critical_value * log_error
        end as log_half_width,
        {{ statistical_function('confidence_sequence_halfwidth') }}(
            {{ statistical_function('safe_multiply') }}(
                nullif(robust_error, 0), sqrt(effective_clusters)
            ),
            effective_clusters,
            {{ alpha }},
            {{ planned_tasks }}
        ) as sequence_half_width,
        {{ statistical_function('confidence_sequence_halfwidth') }}(
            nullif(log_error, 0) * sqrt(effective_ratio_clusters),
            effective_ratio_clusters,
            {{ alpha }},
            {{ planned_tasks }}
        ) as log_sequence_half_width
    from methods
),

intervals as materialized (
    select
        *,
        case
            when method = 'mcnemar_tango'
                then {{ statistical_function('tango_lower') }}(
                    n_greater, n_less, n_pairs, {{ alpha }}
                )
            else mean_difference - half_width
        end as ci_low,
        case
            when method = 'mcnemar_tango'
                then {{ statistical_function('tango_upper') }}(
                    n_greater, n_less, n_pairs, {{ alpha }}
                )
            else mean_difference + half_width
        end as ci_high,
        case
            when method = 'mcnemar_tango'
                then {{ statistical_function('mcnemar_p_value') }}(
                    n_greater, n_less
                )
            -- every cluster has the same mean: only its sign is evidence
            when method = 'sign_test' and abs(mean_difference) <= 1e-12 * scale
                then 1
            when method = 'sign_test'
                then {{ statistical_function('sign_test_p_value') }}(
                    n_clusters, 0
                )
            else {{ statistical_function('student_t_p_value') }}(
                {{ statistical_function('safe_divide') }}(
                    mean_difference, robust_error
                ),
                degrees_of_freedom
            )
        end as p_value
    from half_widths
),

-- signed so that more is better, on the scale of the margin: differences of
-- scores, logarithms of ratios of latency, tokens and cost
improvements as materialized (
    select
        *,
        direction_sign
        * case when is_ratio then mean_log_ratio else mean_difference end
            as improvement,
        case when is_ratio then log_error else robust_error end
            as improvement_error,
        case
            when is_ratio then log_degrees_of_freedom else degrees_of_freedom
        end as improvement_degrees_of_freedom,
        case
            when is_ratio then log_critical_value + log_power_value
            else critical_value + power_value
        end as detectable_errors,
        case
            when not is_ratio or non_inferiority_margin is null
                then non_inferiority_margin
            when direction_sign = -1
                then {{ statistical_function('log1p') }}(
                    greatest(non_inferiority_margin, 0)
                )
            when non_inferiority_margin < 1
                then -{{ statistical_function('log1p') }}(
                    -greatest(non_inferiority_margin, 0)
                )
        end as improvement_margin,
        case
            when is_ratio
                then direction_sign * mean_log_ratio - log_half_width
            when direction_sign = 1 then ci_low
            else -ci_high
        end as improvement_low,
        direction_sign
        * case when is_ratio then mean_log_ratio else mean_difference end
        - case
            when is_ratio then log_sequence_half_width
            else sequence_half_width
        end as improvement_sequence_low
    from intervals
),

tests as materialized (
    select
        *,
        {{ statistical_function('student_t_sf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement + improvement_margin, improvement_error
            ),
            improvement_degrees_of_freedom
        ) as p_non_inferiority,
        {{ statistical_function('student_t_cdf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement - improvement_margin, improvement_error
            ),
            improvement_degrees_of_freedom
        ) as p_non_superiority,
        case
            when method = 'mcnemar_tango' and direction_sign = 1
                then {{ statistical_function('binomial_cdf') }}(
                    n_greater, n_greater + n_less, 0.5
                )
            when method = 'mcnemar_tango'
                then {{ statistical_function('binomial_cdf') }}(
                    n_less, n_greater + n_less, 0.5
                )
            when improvement_error > 0
                then {{ statistical_function('student_t_cdf') }}(
                    {{ statistical_function('safe_divide') }}(
                        improvement, improvement_error
                    ),
                    improvement_degrees_of_freedom
                )
            when improvement_error = 0 and improvement < 0
                then {{ statistical_function('safe_exp') }}(
                    -0.69314718055994530942::float8 * n_clusters
                )
            when improvement_error = 0 then 1
        end as p_harm,
        {{ statistical_function('safe_multiply') }}(
            critical_value + power_value, nullif(robust_error, 0)
        ) as minimum_detectable_effect,
        {{ statistical_function('safe_multiply') }}(
            detectable_errors, nullif(improvement_error, 0)
        ) as detectable_improvement,
        {{ statistical_function('confidence_sequence_p_value') }}(
            mean_difference,
            {{ statistical_function('safe_multiply') }}(
                nullif(robust_error, 0), sqrt(effective_clusters)
            ),
            effective_clusters,
            {{ alpha }},
            {{ planned_tasks }}
        ) as p_anytime
    from improvements
),

variances as materialized (
    select
        *,
        {{ statistical_function('safe_square') }}(stddev_difference)
            as variance_difference,
        noise_sum / nullif(n_repeated_pairs, 0) as variance_within_task,
        n_runs / (2 * nullif(n_pairs, 0))::float8 as repetitions,
        n_tasks - n_pairs - n_baseline_only - n_candidate_only - n_incomparable
            as n_unscored,
        n_tasks - n_incomparable as n_countable_tasks
    from tests
),

-- the margin is reached with power 0.8 when (z_alpha + z_power) errors are it
plans as materialized (
    select
        *,
        {{ statistical_function('normal_ppf') }}(1 - {{ alpha }} / 2.0::float8)
            as normal_critical_value,
        {{ statistical_function('normal_ppf') }}(1 - {{ alpha }} / 2.0::float8)
        + {{ statistical_function('normal_ppf') }}({{ power }})
            as normal_detectable_errors,
        case
            when variance_within_task < variance_difference
                then variance_difference - variance_within_task
            when
                variance_within_task is not null
                and variance_difference is not null
                then 0
        end as variance_between_tasks,
        case
            when stddev_difference > 0
                then {{ statistical_function('safe_square') }}(
                    {{ statistical_function('safe_divide') }}(
                        robust_error, standard_error
                    )
                )
        end as design_effect
    from variances
),

requirements as materialized (
    select
        *,
        case
            when not improvement_margin > 0 then null
            when improvement_error > 0
                then ceil(least(
                    n_pairs * greatest(
                        {{ statistical_function('safe_square') }}(
                            {{ statistical_function('safe_divide') }}(
                                normal_detectable_errors * improvement_error,
                                improvement_margin
                            )
                        ) - 1,
                        0
                    ),
                    1e15
                ))
            -- all ties: the score interval is z^2 / (n + z^2) wide either side
            when method = 'mcnemar_tango'
                then ceil(least(greatest(
                    normal_critical_value * normal_critical_value
                    * (1 / greatest(improvement_margin, 1e-12) - 1) - n_pairs,
                    0
                ), 1e15))
        end::bigint as required_additional_tasks,
        {{ statistical_function('safe_divide') }}(
            {{ statistical_function('safe_square') }}(
                improvement_margin / normal_detectable_errors
            ) * n_pairs,
            design_effect
        ) - variance_between_tasks as affordable_noise
    from plans
),

estimates as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        kind,
        direction,
        method,
        whole_segments,
        n_tasks,
        n_pairs,
        n_baseline_only,
        n_candidate_only,
        n_incomparable,
        n_unscored,
        n_clusters,
        case when is_ratio then n_pairs - n_ratio_pairs end
            as n_ratio_excluded,
        wins,
        losses,
        n_pairs - wins - losses as ties,
        -- nothing varies: nothing is detectable by the error, only by the count
        case
            when
                coalesce(
                    detectable_improvement > improvement_margin,
                    improvement_error = 0
                )
                then nullif(required_additional_tasks, 0)
        end as required_additional_tasks,
        case
            when
                not is_ratio
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
        n_pairs::float8 / n_tasks as pair_coverage,
        baseline_mean,
        {{ statistical_function('wilson_lower') }}(
            case
                when kind = 'score' then
                    coalesce(baseline_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as baseline_mean_low,
        {{ statistical_function('wilson_upper') }}(
            case
                when kind = 'score' then
                    coalesce(baseline_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as baseline_mean_high,
        candidate_mean,
        {{ statistical_function('wilson_lower') }}(
            case
                when kind = 'score' then
                    coalesce(candidate_mean * effective_clusters, 0)
            end,
            coalesce(effective_clusters, 0), {{ alpha }}
        ) as candidate_mean_low,
        {{ statistical_function('wilson_upper') }}(
            case
                when kind = 'score' then
                    coalesce(candidate_mean * effective_clusters, 0)
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
        100 * direction_sign * case
            when kind = 'score' then mean_difference
            else mean_relative_difference
        end as avg_improvement_pct,
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
                > 1e-12 * baseline_scale
                and sqrt(candidate_squares / (n_pairs - 1))
                > 1e-12 * candidate_scale
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
        p_value,
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
        {{ statistical_function('safe_exp') }}(mean_log_ratio) as ratio,
        {{ statistical_function('safe_exp') }}(mean_log_ratio - log_half_width)
            as ratio_low,
        {{ statistical_function('safe_exp') }}(mean_log_ratio + log_half_width)
            as ratio_high,
        p_non_inferiority,
        case
            when p_non_inferiority is not null and p_non_superiority is not null
                then greatest(p_non_inferiority, p_non_superiority)
        end as p_equivalence,
        p_harm,
        minimum_detectable_effect,
        improvement,
        improvement_margin,
        improvement_low,
        improvement_sequence_low,
        detectable_improvement,
        variance_between_tasks,
        variance_within_task,
        mean_difference - sequence_half_width as cs_low,
        mean_difference + sequence_half_width as cs_high,
        p_anytime,
        case
            when kind = 'score'
                then (
                    coalesce(mean_difference, 0) * n_pairs
                    - lone_baseline_sum + lone_candidate_sum
                ) / nullif(n_countable_tasks, 0)
        end as mean_difference_missing_as_zero,
        case
            when kind = 'score'
                then (
                    coalesce(mean_difference, 0) * n_pairs
                    - lone_baseline_sum + lone_candidate_sum
                    - n_candidate_only - n_unscored
                ) / nullif(n_countable_tasks, 0)
        end as worst_case_low,
        case
            when kind = 'score'
                then (
                    coalesce(mean_difference, 0) * n_pairs
                    - lone_baseline_sum + n_baseline_only
                    + lone_candidate_sum + n_unscored
                ) / nullif(n_countable_tasks, 0)
        end as best_case_high,
        has_zero_baseline,
        stddev_difference = 0 or robust_error = 0 as has_zero_variance
    from requirements
)

select * from estimates
