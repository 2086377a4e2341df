{{ config(indexes=[{"columns": ["metric", "agent_name"]}]) }}

with

series as (
    select * from {{ ref('int_version_series') }}
),

comparisons as (
    select *
    from {{ ref('int_version_comparisons') }}
    where comparison = 'previous'
),

slopes as (
    select * from {{ ref('int_version_slopes') }}
),

sample_counts as (
    select distinct sample_count from series
),

-- a quantile is a search: once for each number of results
quantiles as materialized (
    select
        sample_count,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ var('alpha') }} / 2.0::float8, (sample_count - 1)::float8
        ) as critical_value
    from sample_counts
),

-- of the mean, for results taken as independent; a single one has none
bounded_series as (
    select
        series.*,
        nullif({{ statistical_function('safe_multiply') }}(
            series.stddev_value,
            quantiles.critical_value / sqrt(series.sample_count::float8)
        ), 'Infinity') as half_width
    from series
    inner join quantiles
        on series.sample_count = quantiles.sample_count
),

joined as (
    select
        series.agent_name,
        series.experiment_group,
        series.extension_version,
        series.model_version,
        series.metric,
        series.kind,
        series.version_order_rule,
        series.previous_extension_version,
        comparisons.method as change_method,
        case
            when series.previous_extension_version is null
                then 'no_previous_version'
            else comparisons.undefined_reason
        end as change_undefined_reason,
        series.version_rank,
        series.sample_count,
        comparisons.task_count,
        comparisons.shared_task_count,
        slopes.trend_version_count,
        series.avg_value,
        -- a mean of scores is never off their scale; a metric that is now a
        -- score and now a measurement has none
        case
            when series.kind = 'score' and series.half_width is not null
                then
                    greatest(
                        least(0, series.min_value),
                        series.avg_value - series.half_width
                    )
            else series.avg_value - series.half_width
        end as avg_value_low,
        case
            when series.kind = 'score' and series.half_width is not null
                then
                    least(
                        greatest(1, series.max_value),
                        series.avg_value + series.half_width
                    )
            else series.avg_value + series.half_width
        end as avg_value_high,
        series.min_value,
        series.max_value,
        series.stddev_value,
        series.p50_value,
        series.p95_value,
        previous.avg_value as previous_avg_value,
        series.avg_value - previous.avg_value as plain_change,
        comparisons.shared_mean as like_for_like_avg,
        comparisons.shared_baseline_mean as previous_like_for_like_avg,
        comparisons.shared_difference as like_for_like_change,
        comparisons.change,
        comparisons.change_low,
        comparisons.change_high,
        comparisons.change_pct,
        comparisons.p_value as change_p_value,
        slopes.theil_sen_slope,
        slopes.mann_kendall_p_value,
        -- rounding has no sign
        case
            when
                abs(series.avg_value - previous.avg_value)
                <= {{ rounding_noise() }} * greatest(
                    abs(series.avg_value), abs(previous.avg_value)
                )
                then false
            else
                sign(series.avg_value - previous.avg_value)
                * sign(comparisons.shared_difference) < 0
        end as has_opposite_signs,
        series.first_recorded_at,
        series.last_recorded_at
    from bounded_series as series
    left join series as previous
        on
            {{ is_same_series('series', 'previous') }}
            and series.series_position = previous.series_position + 1
    left join comparisons
        on {{ is_same_version('series', 'comparisons', ['metric']) }}
    left join slopes
        on {{ is_same_series('series', 'slopes') }}
)

select * from joined
