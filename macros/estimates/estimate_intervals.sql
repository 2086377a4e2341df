-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `methods` to `intervals`: quantiles, half widths and what
    has to be searched for, each once, and the intervals that they give.
#}
{% macro estimate_intervals() -%}
{%- set alpha = var('alpha') -%}
{%- set planned_tasks = var('planned_tasks') -%}
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
            {{ detection_power() }}, degrees_of_freedom
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
)
{%- endmacro %}
