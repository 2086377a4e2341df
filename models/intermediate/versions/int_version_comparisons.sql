{#
    The tests: how every version differs from the one before it and from the
    frozen reference of its segment, with what certainty, and how far it is
    worse. Only what int_version_moments computed again is tested again.
#}
{%- set key = [
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
    "metric",
    "comparison",
] %}
{{
    config(
        materialized="incremental",
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        post_hook="{{
            delete_gone_versions(
                ref('int_version_moments'), ['metric', 'comparison']
            )
        }}",
    )
}}

{% set alpha = var('alpha') %}
{% set reference_weight = var('drift_reference_weight') %}

with

version_moments as (
    select * from {{ ref('int_version_moments') }}
),

changed_moments as (
    select version_moments.*
    from version_moments
    {% if is_incremental() %}
        left join {{ this }} as built
            on
                {{
                    is_same_version(
                        'version_moments',
                        'built',
                        ['metric', 'comparison', 'fingerprint']
                    )
                }}
        where built.agent_name is null
    {% endif %}
),

moments as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        comparison,
        fingerprint,
        method,
        task_count,
        baseline_task_count,
        shared_task_count,
        higher_count,
        lower_count,
        direction_sign,
        baseline_version_count,
        {{ function('to_double') }}(version_mean)
            as version_mean,
        {{ function('to_double') }}(version_variance)
            as version_variance,
        {{ function('to_double') }}(baseline_version_mean)
            as baseline_version_mean,
        {{ function('to_double') }}(baseline_version_variance)
            as baseline_version_variance,
        {{ function('to_double') }}(shared_baseline_mean)
            as shared_baseline_mean,
        {{ function('to_double') }}(shared_mean)
            as shared_mean,
        {{ function('to_double') }}(mean_difference)
            as mean_difference,
        -- differences that scatter by rounding alone do not scatter
        {{ function('to_double') }}(
            case
                when stddev_difference < {{ rounding_noise() }} * max_difference
                    then 0
                else stddev_difference
            end
        ) as stddev_difference,
        {{ function('to_double') }}(baseline_noise_variance)
            as baseline_noise_variance
    from changed_moments
),

-- variances of the two means, for Welch's test
mean_variances as (
    select
        *,
        version_variance / task_count as version_error,
        baseline_version_variance / baseline_task_count as baseline_error
    from moments
),

errors as (
    select
        *,
        case method
            when 'paired' then mean_difference
            when 'welch' then version_mean - baseline_version_mean
        end as change,
        case method
            when 'paired'
                then stddev_difference / sqrt(shared_task_count)
            when 'welch' then sqrt(version_error + baseline_error)
        end as standard_error,
        case method
            when 'paired' then shared_task_count - 1
            when 'welch'
                then
                    (version_error + baseline_error) ^ 2
                    / nullif(
                        version_error ^ 2 / nullif(task_count - 1, 0)
                        + baseline_error ^ 2
                        / nullif(baseline_task_count - 1, 0),
                        0
                    )
        end as degrees_of_freedom,
        -- what the reference's own versions scatter, task by task
        case
            when method = 'paired' and baseline_noise_variance is not null
                then
                    sqrt(
                        baseline_noise_variance
                        * (1 + 1.0 / baseline_version_count)
                        / shared_task_count
                    )
        end as reference_error
    from mean_variances
),

-- the error that a deviate is measured in: the scatter of this version's
-- differences and that of the reference's own versions, weighed; a reference
-- in which nothing scattered says nothing
weighed as (
    select
        *,
        case
            when reference_error > 0
                then
                    sqrt(
                        {{ reference_weight }} * reference_error ^ 2
                        + (1 - {{ reference_weight }}) * standard_error ^ 2
                    )
            else standard_error
        end as deviate_error
    from errors
),

tested as (
    select
        *,
        case
            when standard_error > 0
                then
                    {{ statistical_function('student_t_p_value') }}(
                        change / standard_error, degrees_of_freedom
                    )
            when method = 'paired'
                then
                    {{ statistical_function('sign_test_p_value') }}(
                        higher_count, lower_count
                    )
        end as p_value,
        case
            when standard_error > 0
                then
                    standard_error
                    * {{ statistical_function('student_t_ppf') }}(
                        1 - {{ alpha }} / 2.0, degrees_of_freedom
                    )
        end as half_width,
        case
            when deviate_error > 0
                then
                    {{ statistical_function('student_t_sf') }}(
                        abs(change) / deviate_error, degrees_of_freedom
                    )
            else
                {{ statistical_function('sign_test_p_value') }}(
                    higher_count, lower_count
                ) / 2
        end as tail
    from weighed
),

described as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        comparison,
        fingerprint,
        case
            when standard_error > 0 then method
            when standard_error = 0 and method = 'paired' then 'sign'
        end as method,
        case
            when standard_error > 0 then null
            when standard_error is null then 'too_few_tasks'
            else 'no_variance'
        end as undefined_reason,
        task_count,
        baseline_task_count,
        shared_task_count,
        shared_mean,
        shared_baseline_mean,
        mean_difference as shared_difference,
        change,
        change - half_width as change_low,
        change + half_width as change_high,
        100 * direction_sign * change / nullif(
            abs(
                case method
                    when 'paired' then shared_baseline_mean
                    else baseline_version_mean
                end
            ),
            0
        ) as change_pct,
        standard_error,
        degrees_of_freedom::double precision as degrees_of_freedom,
        p_value,
        -- how far it is worse, in standard normal deviates of the same tail
        case
            when method != 'paired' then null
            when change = 0 then 0
            else
                sign(direction_sign * change)
                * {{ statistical_function('normal_ppf') }}(
                    greatest(tail, 1e-300)
                )
        end as worsening_deviate
    from tested
)

select * from described
