-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `repeated_pairs` and `repeated_values` to `tested`: the
    test of each task and, where there is none, why. Welch's t has its degrees
    of freedom by Satterthwaite (1946).
#}
{% macro repeated_tests() -%}
gathered as (
    select
        repeated_pairs.*,
        baseline_values.run_values as baseline_values,
        candidate_values.run_values as candidate_values,
        {{ pair_difference('baseline_value', 'candidate_value') }} as difference,
        {{ statistical_function('safe_square') }}(baseline_stddev)
        / baseline_runs as baseline_noise,
        {{ statistical_function('safe_square') }}(candidate_stddev)
        / candidate_runs as candidate_noise
    from repeated_pairs
    left join repeated_values as baseline_values
        on
            repeated_pairs.control_experiment_id
            = baseline_values.experiment_id
            and repeated_pairs.baseline_result_id = baseline_values.result_id
            and repeated_pairs.metric = baseline_values.metric
    left join repeated_values as candidate_values
        on
            repeated_pairs.experiment_id = candidate_values.experiment_id
            and repeated_pairs.candidate_result_id = candidate_values.result_id
            and repeated_pairs.metric = candidate_values.metric
),

chosen_tests as (
    select
        *,
        case
            when direction = 'unknown' then null
            when has_passes then 'fisher'
            when baseline_values is not null and candidate_values is not null
                then 'permutation'
            when
                least(baseline_runs, candidate_runs) >= 7
                and baseline_noise + candidate_noise > 1e-24
                then 'welch'
        end as method
    from gathered
),

lower_tails as (
    select
        *,
        case method
            when 'fisher'
                then {{ statistical_function('fisher_mid_p_less') }}(
                    baseline_passes,
                    baseline_runs,
                    candidate_passes,
                    candidate_runs
                )
            when 'permutation'
                then {{ statistical_function('permutation_mid_p_less') }}(
                    baseline_values, candidate_values
                )
            when 'welch'
                then {{ statistical_function('student_t_cdf') }}(
                    difference / sqrt(baseline_noise + candidate_noise),
                    {{ welch_freedom() }}
                )
        end as p_lower,
        case method
            when 'fisher'
                then {{ statistical_function('fisher_mid_p_less') }}(
                    baseline_runs - baseline_passes,
                    baseline_runs,
                    candidate_runs - candidate_passes,
                    candidate_runs
                )
            when 'permutation'
                then {{ statistical_function('permutation_mid_p_less') }}(
                    candidate_values, baseline_values
                )
            when 'welch'
                then {{ statistical_function('student_t_sf') }}(
                    difference / sqrt(baseline_noise + candidate_noise),
                    {{ welch_freedom() }}
                )
        end as p_upper
    from chosen_tests
),

-- of passes more is better whatever the metric counts
tested as (
    select
        *,
        case
            when method is not null then null
            when direction = 'unknown' then 'direction_unknown'
            when least(baseline_runs, candidate_runs) < 7
                then 'too_many_arrangements'
            else 'zero_variance'
        end as untested_reason,
        case
            when direction = 'unknown' then null
            when has_passes
                then
                    candidate_passes / candidate_runs::float8
                    - baseline_passes / baseline_runs::float8
            when direction = 'lower' then -difference
            else difference
        end as improvement,
        case
            when direction = 'lower' and not has_passes then p_upper
            else p_lower
        end as p_worse,
        case
            when direction = 'lower' and not has_passes then p_lower
            else p_upper
        end as p_better,
        case
            when p_lower is not null
                then least(1, 2 * least(p_lower, p_upper))
        end as p_value
    from lower_tails
)
{%- endmacro %}


{# Satterthwaite's degrees of freedom of a difference of two means. #}
{% macro welch_freedom() -%}
    {{ statistical_function('safe_square') }}(
        baseline_noise + candidate_noise
    ) / (
        {{ statistical_function('safe_square') }}(baseline_noise)
        / (baseline_runs - 1)
        + {{ statistical_function('safe_square') }}(candidate_noise)
        / (candidate_runs - 1)
    )
{%- endmacro %}
