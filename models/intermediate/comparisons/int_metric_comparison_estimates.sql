{#
    Estimates, intervals and tests of each reading of a comparison, from its
    moments: one row in, one row out, no pass over the pairs. A standard
    deviation that is rounding noise counts as 0. What is undefined is null.

    The improvement is what decides: signed so that more is better, on the
    scale of the margin; differences of scores, the mean log ratio of latency,
    tokens and cost, and, where too many of these are 0 on one side, the
    difference in units of the baseline's mean.
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment",
            "metric",
            "counts_missing",
        ],
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
{%- set planned_tasks = var('planned_tasks') %}
{%- set power = 0.8 %}

with

moments as (
    {{ changed_rows(ref('int_metric_pair_moments')) }}
),

raw_spreads as materialized (
    select
        *,
        kind in ('latency', 'tokens', 'cost') as is_of_ratio_kind,
        kind in ('score', 'success', 'reliability') as is_fraction,
        sqrt(difference_squares / nullif(n_pairs - 1, 0)) as raw_stddev,
        sqrt(squared_cluster_sums)
        * sqrt((n_clusters - 1) / nullif(n_clusters, 0)::float8)
        / nullif(n_pairs, 0) as raw_clustered_error,
        sqrt(log_ratio_squares / nullif(n_ratio_pairs - 1, 0))
            as raw_log_stddev,
        sqrt(squared_log_ratio_sums)
        * sqrt((n_ratio_clusters - 1) / nullif(n_ratio_clusters, 0)::float8)
        / nullif(n_ratio_pairs, 0) as raw_log_clustered_error
    from moments
),

spreads as materialized (
    select
        *,
        n_clusters < n_pairs as is_clustered,
        -- too many pairs with a 0 on one side
        is_of_ratio_kind
        and n_pairs - n_ratio_pairs
        > (1 - {{ var('minimum_coverage') }}) * n_pairs
            as is_difference_instead,
        n_pairs * (n_pairs / nullif(squared_sizes, 0)) as effective_clusters,
        n_ratio_pairs * (n_ratio_pairs / nullif(squared_ratio_sizes, 0))
            as effective_ratio_clusters,
        case
            when raw_stddev > {{ rounding_noise() }} * scale then raw_stddev
            when raw_stddev is not null then 0
        end as stddev_difference,
        case
            when n_clusters < 2 then null
            when
                raw_stddev > {{ rounding_noise() }} * scale
                and raw_clustered_error * sqrt(n_clusters)
                > {{ rounding_noise() }} * scale
                then raw_clustered_error
            when raw_clustered_error is not null then 0
        end as standard_error_clustered,
        case
            when raw_log_stddev > {{ rounding_noise() }} then raw_log_stddev
            when raw_log_stddev is not null then 0
        end as log_stddev,
        case
            when n_ratio_clusters < 2 then null
            when
                raw_log_clustered_error * sqrt(n_ratio_clusters)
                > {{ rounding_noise() }}
                then raw_log_clustered_error
            when raw_log_clustered_error is not null then 0
        end as log_clustered_error
    from raw_spreads
),

errors as materialized (
    select
        *,
        is_of_ratio_kind and not is_difference_instead as is_ratio,
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
        abs(baseline_mean) <= {{ rounding_noise() }} * baseline_scale
            as has_zero_baseline
    from spreads
),

-- the one estimand of every interval and p-value that a verdict rests on
improvements as materialized (
    select
        *,
        case
            when is_ratio then direction_sign * mean_log_ratio
            when is_difference_instead and has_zero_baseline then null
            when is_difference_instead
                then direction_sign * {{ statistical_function('safe_divide') }}(
                    mean_difference, abs(baseline_mean)
                )
            else direction_sign * mean_difference
        end as improvement,
        case
            when is_ratio then log_error
            when is_difference_instead and has_zero_baseline then null
            when is_difference_instead
                then {{ statistical_function('safe_divide') }}(
                    robust_error, abs(baseline_mean)
                )
            else robust_error
        end as improvement_error,
        case when is_ratio then log_degrees_of_freedom else degrees_of_freedom
        end as improvement_degrees_of_freedom,
        case when is_ratio then n_ratio_pairs else n_pairs end
            as n_improvement_pairs,
        case
            when is_ratio then effective_ratio_clusters else effective_clusters
        end as improvement_clusters,
        case when direction_sign = 1 then n_greater else n_less end as n_better,
        case when direction_sign = 1 then n_less else n_greater end as n_worse,
        coalesce(
            case
                when non_inferiority_margin > 0 then non_inferiority_margin
            end,
            case
                when is_fraction then {{ var('default_score_margin') }}
                when is_of_ratio_kind then {{ var('default_ratio_margin') }}
            end
        )::float8 as margin
    from errors
),

methods as materialized (
    select
        *,
        case
            when not is_of_ratio_kind or is_difference_instead then margin
            when direction_sign = -1
                then {{ statistical_function('log1p') }}(greatest(margin, 0))
            when margin < 1
                then -{{ statistical_function('log1p') }}(-greatest(margin, 0))
        end as improvement_margin,
        case
            when n_pairs < 2 then 'none'
            when is_binary and not is_clustered
                then 'mcnemar_tango'
            when improvement_error is null then 'none'
            when improvement_error = 0 then 'sign_test'
            when is_ratio and n_ratio_clusters < n_ratio_pairs
                then 't_clustered'
            when not is_ratio and is_clustered then 't_clustered'
            else 't'
        end as method
    from improvements
),

all_degrees_of_freedom as (
    select degrees_of_freedom from methods
    union distinct
    select log_degrees_of_freedom as degrees_of_freedom from methods
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

-- half widths; null where there is no interval, never 0 and never infinite
half_widths as materialized (
    select
        methods.*,
        quantiles.critical_value,
        quantiles.power_value,
        improvement_quantiles.critical_value as improvement_critical_value,
        improvement_quantiles.power_value as improvement_power_value,
        nullif(nullif({{ statistical_function('safe_multiply') }}(
            quantiles.critical_value, nullif(methods.robust_error, 0)
        ), 'Infinity'), 1.7976931348623157e308) as half_width,
        case
            when
                log_quantiles.critical_value * methods.log_error
                between 1e-300 and 300
                then log_quantiles.critical_value * methods.log_error
        end as log_half_width,
        {{ statistical_function('confidence_sequence_halfwidth') }}(
            {{ statistical_function('safe_multiply') }}(
                nullif(methods.improvement_error, 0),
                sqrt(methods.improvement_clusters)
            ),
            methods.improvement_clusters,
            {{ alpha }},
            {{ planned_tasks }}
        ) as sequence_half_width
    from methods
    left join quantiles
        on methods.degrees_of_freedom = quantiles.degrees_of_freedom
    left join quantiles as log_quantiles
        on methods.log_degrees_of_freedom = log_quantiles.degrees_of_freedom
    left join quantiles as improvement_quantiles
        on
            methods.improvement_degrees_of_freedom
            = improvement_quantiles.degrees_of_freedom
),

-- searches and series, once for all that they answer
searches as materialized (
    select
        *,
        case
            when method = 'mcnemar_tango'
                then {{ statistical_function('tango_lower') }}(
                    n_greater, n_less, n_pairs, {{ alpha }}
                )
        end as tango_low,
        case
            when method = 'mcnemar_tango'
                then {{ statistical_function('tango_upper') }}(
                    n_greater, n_less, n_pairs, {{ alpha }}
                )
        end as tango_high,
        {{ p_value_of_own_side() }} as p_of_own_side
    from half_widths
),

intervals as materialized (
    select
        *,
        case
            when method = 'mcnemar_tango' then tango_low
            else mean_difference - half_width
        end as ci_low,
        case
            when method = 'mcnemar_tango' then tango_high
            else mean_difference + half_width
        end as ci_high,
        case
            when method = 'mcnemar_tango' and direction_sign = 1 then tango_low
            when method = 'mcnemar_tango' then -tango_high
            when is_ratio then improvement - log_half_width
            else
                improvement - {{ statistical_function('safe_multiply') }}(
                    improvement_critical_value, nullif(improvement_error, 0)
                )
        end as improvement_low,
        case
            when method = 'mcnemar_tango' and direction_sign = 1 then tango_high
            when method = 'mcnemar_tango' then -tango_low
            when is_ratio then improvement + log_half_width
            else
                improvement + {{ statistical_function('safe_multiply') }}(
                    improvement_critical_value, nullif(improvement_error, 0)
                )
        end as improvement_high,
        case
            when
                n_pairs > 1
                and n_repeated_pairs = n_pairs
                and kind in ('score', 'success', 'measurement')
                and sqrt(noise_sum) > {{ rounding_noise() }} * scale
                then sqrt(noise_sum) / n_pairs
        end as standard_error_fixed_tasks,
        case
            when
                n_pairs > 1
                and n_repeated_pairs = n_pairs
                and kind in ('score', 'success', 'measurement')
                and sqrt(noise_sum) > {{ rounding_noise() }} * scale
                then noise_sum * (noise_sum / nullif(squared_noise_sum, 0))
        end as degrees_of_freedom_fixed_tasks
    from searches
),

-- one-sided: is it better, is it worse, is the margin lost
tests as materialized (
    select
        *,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, degrees_of_freedom_fixed_tasks
        ) * standard_error_fixed_tasks as fixed_tasks_half_width,
        {{ statistical_function('student_t_sf') }}(
            improvement / standard_error_fixed_tasks,
            degrees_of_freedom_fixed_tasks
        ) as p_better_fixed_tasks,
        {{ statistical_function('student_t_cdf') }}(
            improvement / standard_error_fixed_tasks,
            degrees_of_freedom_fixed_tasks
        ) as p_worse_fixed_tasks,
        {{ statistical_function('student_t_sf') }}(
            (improvement + improvement_margin) / standard_error_fixed_tasks,
            degrees_of_freedom_fixed_tasks
        ) as p_lost_fixed_tasks,
        {{ p_value_of_gain('improvement') }} as p_better,
        {{ p_value_of_gain('-improvement') }} as p_worse,
        {{
            p_value_of_loss_beyond_margin('improvement', 'n_better', 'n_worse')
        }} as p_lost,
        {{ anytime_p_value_of_gain('improvement') }} as p_better_anytime,
        {{ anytime_p_value_of_gain('-improvement') }} as p_worse_anytime,
        {{ anytime_p_value_of_loss_beyond_margin() }} as p_lost_anytime,
        case
            when method = 'mcnemar_tango'
                then {{ statistical_function('mcnemar_p_value') }}(
                    n_greater, n_less
                )
        end as p_value_exact,
        {{
            p_value_of_loss_beyond_margin('-improvement', 'n_worse', 'n_better')
        }} as p_non_superiority,
        {{ statistical_function('safe_multiply') }}(
            critical_value + power_value, nullif(robust_error, 0)
        ) as minimum_detectable_effect,
        {{ statistical_function('safe_multiply') }}(
            improvement_critical_value + improvement_power_value,
            nullif(improvement_error, 0)
        ) as detectable_improvement
    from intervals
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
            when variance_within_task > 0 and stddev_difference > 0
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
            when design_effect > 0
                then {{ statistical_function('safe_divide') }}(
                    {{ statistical_function('safe_square') }}(
                        improvement_margin / normal_detectable_errors
                    ) * n_pairs,
                    design_effect
                ) - variance_between_tasks
        end as affordable_noise
    from plans
),

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
