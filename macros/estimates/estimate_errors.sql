{#
    First step of int_metric_comparison_estimates, from its CTE `moments` to
    `methods`: how the pairs scatter, and the improvement with its error, margin
    and method.
#}
{% macro estimate_errors() -%}
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
)
{%- endmacro %}
