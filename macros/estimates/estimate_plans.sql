-- sqlfluff:exclude_rules:LT02
{#
    Last step, from `tests` to `requirements`: how much repetitions would take
    off the error. The margin is reached with that power when (z_alpha +
    z_power) errors are it.
#}
{% macro estimate_plans() -%}
{%- set alpha = var('alpha') -%}
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

plans as materialized (
    select
        *,
        {{ statistical_function('normal_ppf') }}(1 - {{ alpha }} / 2.0::float8)
        + {{ statistical_function('normal_ppf') }}({{ detection_power() }})
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
)
{%- endmacro %}
