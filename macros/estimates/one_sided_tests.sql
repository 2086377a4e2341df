{#
    One-sided p-values of a comparison, from the columns of
    int_metric_comparison_estimates. H0 of a gain: there is none.
#}

{# What rounding leaves of a gain that is none. #}
{% macro is_gain(gain) -%}
    {{ gain }} > {{ rounding_noise() }}
    * case when is_of_ratio_kind then 1 else scale end
{%- endmacro %}


{#
    The lesser of the p-values of a gain and of a loss, which add up to 1: that
    of the side which the improvement is on. 0/1 scores of one run a task:
    McNemar's mid-p, over the tasks that differ.
#}
{% macro p_value_of_own_side() -%}
    case
        when method = 'mcnemar_tango'
            then {{ statistical_function('mid_p_greater') }}(
                greatest(n_better, n_worse), n_better + n_worse
            )
        when method not in ('none', 'sign_test')
            then {{ statistical_function('student_t_sf') }}(
                {{ statistical_function('safe_divide') }}(
                    abs(improvement), improvement_error
                ),
                improvement_degrees_of_freedom
            )
    end
{%- endmacro %}


{#
    From the column p_of_own_side. Where all tasks differ alike only the side is
    evidence: one half a cluster.
#}
{% macro p_value_of_gain(gain) -%}
    case
        when method = 'none' then null
        when method = 'sign_test' and {{ is_gain(gain) }}
            then {{ statistical_function('half_power') }}(improvement_clusters)
        when method = 'sign_test' then 1
        when {{ gain }} >= 0 then p_of_own_side
        else 1 - p_of_own_side
    end
{%- endmacro %}


{# Where all tasks differ alike: none of g was lost, which has (1 - m)^g. #}
{% macro p_value_without_variance(gain) -%}
    case
        when not {{ is_gain(gain ~ ' + improvement_margin') }} then 1
        when is_fraction
            then {{ statistical_function('power_of') }}(
                1 - improvement_margin, improvement_clusters
            )
        when improvement_margin is not null
            then {{ statistical_function('half_power') }}(improvement_clusters)
    end
{%- endmacro %}


{# H0: the loss is the margin or more; Tango's score test for 0/1 scores. #}
{% macro p_value_of_loss_beyond_margin(gain, gained, lost) -%}
    case
        when method = 'none' then null
        when method = 'mcnemar_tango'
            then {{ statistical_function('tango_p_value') }}(
                {{ gained }}, {{ lost }}, n_pairs, -improvement_margin
            )
        when method = 'sign_test' then {{ p_value_without_variance(gain) }}
        else {{ statistical_function('student_t_sf') }}(
            {{ statistical_function('safe_divide') }}(
                {{ gain }} + improvement_margin, improvement_error
            ),
            improvement_degrees_of_freedom
        )
    end
{%- endmacro %}


{# Half the two-sided p-value of the confidence sequence, on the gain's side. #}
{% macro anytime_p_value(gain) -%}
    case
        when {{ is_gain(gain) }}
            then 0.5 * {{
                statistical_function('confidence_sequence_p_value')
            }}(
                {{ gain }},
                {{ statistical_function('safe_multiply') }}(
                    improvement_error, sqrt(improvement_clusters)
                ),
                improvement_clusters,
                {{ var('alpha') }},
                {{ var('planned_tasks') }}
            )
        when {{ gain }} is not null then 1
    end
{%- endmacro %}


{% macro anytime_p_value_of_gain(gain) -%}
    case
        when method = 'none' or improvement_error is null then null
        when improvement_error > 0 then {{ anytime_p_value(gain) }}
        when {{ is_gain(gain) }}
            then {{ statistical_function('half_power') }}(improvement_clusters)
        else 1
    end
{%- endmacro %}


{% macro anytime_p_value_of_loss_beyond_margin() -%}
    case
        when method = 'none' or improvement_error is null then null
        when improvement_error > 0
            then {{ anytime_p_value('(improvement + improvement_margin)') }}
        else {{ p_value_without_variance('improvement') }}
    end
{%- endmacro %}
