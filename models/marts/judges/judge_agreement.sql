{#
    How far a judge and people agree where both scored a run. A view: it reads
    labels, which are few, and costs a build nothing. Its steps are macros of
    macros/judges, read in this order.
#}
{{ config(materialized="view") }}
{%- set alpha = var('alpha') %}

with

readings as (
    select * from {{ ref('int_judge_readings') }}
),

{{ agreement_slices() }},

{{ agreement_kappas() }},

{{ agreement_alphas() }},

{{ agreement_biases() }},

half_widths as (
    select
        means.*,
        kappas.kappa,
        -- of full agreement there is no interval: its error is not 0
        case
            when means.n_agreed < means.n_labels
                then
                    kappas.kappa_error
                    * {{ statistical_function('normal_ppf') }}(
                        1 - {{ alpha }} / 2.0::float8
                    )
        end as kappa_half_width,
        kappas.confusion,
        alphas.alpha_nominal,
        alphas.alpha_interval,
        alphas.alpha_nominal_error,
        alphas.alpha_interval_error,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, nullif(means.n_tasks - 1, 0)
        ) as task_critical_value,
        biases.bias_error
        * {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, biases.degrees_of_freedom
        ) as bias_half_width,
        means.candidate_bias - means.baseline_bias as bias_between_arms,
        biases.arms_error
        * {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8,
            nullif(biases.arms_degrees_of_freedom, 0)
        ) as arms_half_width,
        case when means.is_binary then kappas.true_positives end
            as true_positives,
        case when means.is_binary then kappas.false_positives end
            as false_positives,
        case when means.is_binary then kappas.false_negatives end
            as false_negatives,
        case when means.is_binary then kappas.true_negatives end
            as true_negatives,
        1 - (people.n_values - 1) * people.disagreement
        / nullif(2 * people.n_values * people.squares, 0) as people_alpha
    from means
    inner join alphas
        on means.slice_number = alphas.slice_number
    left join kappas
        on means.slice_number = kappas.slice_number
    left join biases
        on means.slice_number = biases.slice_number
    left join people
        on means.slice_number = people.slice_number
),

positives as (
    select
        *,
        case
            when abs(length_correlation) < 1 - {{ rounding_noise() }}
                then atanh(length_correlation)
        end as length_z,
        {{ statistical_function('normal_ppf') }}(1 - {{ alpha }} / 2.0::float8)
        / sqrt(nullif(greatest(n_lengths - 3, 0), 0)::float8)
            as length_half_width,
        true_positives + false_negatives as n_positives,
        true_negatives + false_positives as n_negatives,
        judge_variance + human_variance + (judge_mean - human_mean) ^ 2
            as squared_distance_by_chance
    from half_widths
),

agreement as (
    select
        evaluator_key,
        judge_version,
        metric,
        slice_kind,
        slice,
        n_labels::integer as n_labels,
        n_tasks::integer as n_tasks,
        annotators::integer as annotators,
        n_labels_of_several::integer as n_labels_of_several,
        n_candidate_labels::integer as n_candidate_labels,
        n_baseline_labels::integer as n_baseline_labels,
        judge_mean,
        human_mean,
        n_agreed::float8 / n_labels as agreement,
        kappa as cohen_kappa,
        kappa - kappa_half_width as cohen_kappa_low,
        kappa + kappa_half_width as cohen_kappa_high,
        case
            when squared_distance_by_chance > 0
                then 1 - mean_squared_error / squared_distance_by_chance
        end as cohen_kappa_quadratic,
        alpha_nominal as krippendorff_nominal,
        alpha_nominal - nullif(task_critical_value * alpha_nominal_error, 0)
            as krippendorff_nominal_low,
        alpha_nominal + nullif(task_critical_value * alpha_nominal_error, 0)
            as krippendorff_nominal_high,
        alpha_interval as krippendorff_interval,
        alpha_interval - nullif(task_critical_value * alpha_interval_error, 0)
            as krippendorff_interval_low,
        alpha_interval + nullif(task_critical_value * alpha_interval_error, 0)
            as krippendorff_interval_high,
        people_alpha::float8 as people_krippendorff_interval,
        bias,
        bias - nullif(bias_half_width, 0) as bias_low,
        bias + nullif(bias_half_width, 0) as bias_high,
        candidate_bias,
        baseline_bias,
        bias_between_arms,
        bias_between_arms - nullif(arms_half_width, 0)
            as bias_between_arms_low,
        bias_between_arms + nullif(arms_half_width, 0)
            as bias_between_arms_high,
        mean_absolute_error,
        true_positives::integer as true_positives,
        false_positives::integer as false_positives,
        false_negatives::integer as false_negatives,
        true_negatives::integer as true_negatives,
        true_positives::float8 / nullif(n_positives, 0)::float8 as sensitivity,
        {{ statistical_function('wilson_lower') }}(
            true_positives::float8, nullif(n_positives, 0)::float8, {{ alpha }}
        ) as sensitivity_low,
        {{ statistical_function('wilson_upper') }}(
            true_positives::float8, nullif(n_positives, 0)::float8, {{ alpha }}
        ) as sensitivity_high,
        true_negatives::float8 / nullif(n_negatives, 0)::float8 as specificity,
        {{ statistical_function('wilson_lower') }}(
            true_negatives::float8, nullif(n_negatives, 0)::float8, {{ alpha }}
        ) as specificity_low,
        {{ statistical_function('wilson_upper') }}(
            true_negatives::float8, nullif(n_negatives, 0)::float8, {{ alpha }}
        ) as specificity_high,
        n_lengths::integer as n_lengths,
        length_correlation,
        -- Fisher's transformation; of a full correlation there is none
        case
            when length_z is not null and n_lengths > 3
                then tanh(length_z - length_half_width)
        end as length_correlation_low,
        case
            when length_z is not null and n_lengths > 3
                then tanh(length_z + length_half_width)
        end as length_correlation_high,
        is_binary,
        confusion,
        array_remove(
            array[
                case when n_labels = 1 then 'one_label' end,
                case
                    when n_judge_values = 1 and n_human_values = 1
                        then 'one_value'
                end,
                case
                    when greatest(n_judge_values, n_human_values) > 20
                        then 'no_categories'
                end,
                case when is_binary and n_positives = 0 then 'no_positive' end,
                case when is_binary and n_negatives = 0 then 'no_negative' end,
                case
                    when least(n_candidate_labels, n_baseline_labels) = 0
                        then 'one_arm'
                end,
                case when n_tasks < n_labels then 'repeated_tasks' end
            ],
            null
        ) as notes,
        first_recorded_at,
        last_recorded_at
    from positives
)

select * from agreement
