-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `intervals` to `tests`: p-values, and what so many pairs
    could have found.
#}
{% macro estimate_tests() -%}
{%- set alpha = var('alpha') -%}
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
)
{%- endmacro %}


{# The power of what is planned: a chance of four in five. #}
{% macro detection_power() -%}0.8{%- endmacro %}
