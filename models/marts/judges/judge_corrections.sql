{#
    Comparisons as they would be if people had scored every run, as far as the
    labels tell. A view: only comparisons with labels are read, and it costs a
    build nothing. Its steps are macros of macros/judges, read in this order.
#}
{{ config(materialized="view") }}
{%- set alpha = var('alpha') %}

with

annotations as not materialized (
    select * from {{ ref('stg_annotations') }}
),

readings as materialized (
    select * from {{ ref('int_judge_readings') }}
),

results_paired as materialized (
    select *
    from {{ ref('int_results_paired') }}
    where
        (
            experiment_id = any(
                array(select annotations.experiment_id from annotations)
            )
            or control_experiment_id = any(
                array(select annotations.experiment_id from annotations)
            )
        )
        and candidate_result_id is not null
        and baseline_result_id is not null
        and not is_quarantined
),

metric_pairs as not materialized (
    select *
    from {{ ref('int_metric_pairs') }}
    where
        experiment_id = any(
            array(select results_paired.experiment_id from results_paired)
        )
        and kind = 'score'
),

trial_values as not materialized (
    select *
    from {{ ref('int_trial_values') }}
    where
        experiment_id = any(
            array(
                select results_paired.experiment_id
                from results_paired
                union distinct
                select results_paired.control_experiment_id
                from results_paired
            )
        )
),

metric_comparisons as (
    select * from {{ ref('experiment_metric_comparisons') }}
),

{{ correction_tasks() }},

{{ correction_powered() }},

{{ correction_rogan_gladen() }},

judged as (
    select
        powered.*,
        comparisons.role,
        comparisons.improvement as recorded_improvement,
        comparisons.improvement_error as recorded_improvement_error,
        comparisons.p_better as recorded_p_better,
        comparisons.improvement_margin,
        -- what missing scores could change, either way
        least(
            comparisons.improvement_missing_as_zero - comparisons.improvement,
            0
        ) as missing_gap_low,
        greatest(
            comparisons.improvement_missing_as_zero - comparisons.improvement,
            0
        ) as missing_gap_high,
        powered.n_labelled < {{ var('minimum_labels') }}
        and powered.n_unlabelled > 0 as has_few_labels,
        rogan_gladen.candidate_sensitivity,
        rogan_gladen.candidate_specificity,
        rogan_gladen.baseline_sensitivity,
        rogan_gladen.baseline_specificity,
        rogan_gladen.labelled_clusters as rogan_gladen_clusters,
        powered.direction_sign
        * (
            rogan_gladen.candidate_true_share
            - rogan_gladen.baseline_true_share
        ) as rogan_gladen_improvement,
        case
            when rogan_gladen.error > {{ rounding_noise() }}
                then rogan_gladen.error
        end as rogan_gladen_error,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8,
            nullif(rogan_gladen.degrees_of_freedom, 0)
        ) as rogan_gladen_critical_value,
        case
            when powered.degrees_of_freedom > 0
                then {{ statistical_function('student_t_ppf') }}(
                    1 - {{ alpha }} / 2.0::float8, powered.degrees_of_freedom
                )
        end as critical_value
    from powered
    inner join metric_comparisons as comparisons
        on {{ is_same_comparison('powered', 'comparisons', ['metric']) }}
    left join rogan_gladen
        on {{ is_same_comparison('powered', 'rogan_gladen', ['metric']) }}
    where comparisons.direction != 'unknown'
),

-- a number that rests on too few labels shows, and proves nothing
tested as (
    select
        *,
        case
            when not has_few_labels and critical_value is not null
                then improvement_error
        end as test_error
    from judged
),

corrections as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        role,
        n_pairs::integer as n_pairs,
        n_labels::integer as n_labels,
        n_labelled::integer as n_labelled_tasks,
        n_labelled_in_one_arm::integer as n_labelled_in_one_arm,
        case
            when
                improvement_margin is not null
                and rectifier_error > 0
                and (improvement_margin / 2.8) ^ 2 > imputed_error ^ 2
                then least(
                    greatest(
                        ceil(
                            rectifier_error ^ 2 * n_labelled
                            / (
                                (improvement_margin / 2.8) ^ 2
                                - imputed_error ^ 2
                            )
                        ),
                        {{ var('minimum_labels') }}
                    ),
                    n_pairs
                )::integer
        end as required_labelled_tasks,
        recorded_improvement,
        recorded_improvement_error,
        recorded_p_better,
        judge_improvement,
        human_improvement,
        judge_weight,
        improvement,
        improvement_error,
        rectifier_error,
        imputed_error,
        degrees_of_freedom,
        improvement - critical_value * improvement_error as improvement_low,
        improvement + critical_value * improvement_error as improvement_high,
        improvement_margin,
        missing_gap_low,
        missing_gap_high,
        {{ statistical_function('student_t_p_value') }}(
            {{ statistical_function('safe_divide') }}(improvement, test_error),
            degrees_of_freedom
        ) as p_value,
        {{ statistical_function('student_t_sf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement + missing_gap_low, test_error
            ),
            degrees_of_freedom
        ) as p_better,
        {{ statistical_function('student_t_cdf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement + missing_gap_high, test_error
            ),
            degrees_of_freedom
        ) as p_worse,
        {{ statistical_function('student_t_sf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement + missing_gap_low + improvement_margin, test_error
            ),
            degrees_of_freedom
        ) as p_lost,
        candidate_sensitivity,
        candidate_specificity,
        baseline_sensitivity,
        baseline_specificity,
        rogan_gladen_improvement,
        rogan_gladen_error,
        rogan_gladen_improvement
        - rogan_gladen_critical_value * rogan_gladen_error
            as rogan_gladen_low,
        rogan_gladen_improvement
        + rogan_gladen_critical_value * rogan_gladen_error
            as rogan_gladen_high,
        {{ statistical_function('student_t_p_value') }}(
            {{ statistical_function('safe_divide') }}(
                rogan_gladen_improvement, rogan_gladen_error
            ),
            nullif(rogan_gladen_clusters - 1, 0)
        ) as rogan_gladen_p_value,
        is_binary,
        array_remove(
            array[
                case when n_labelled = 0 then 'no_labelled_pair' end,
                case
                    when n_labelled_in_one_arm > 0 then 'labels_in_one_arm'
                end,
                case when has_few_labels then 'few_labels' end,
                case
                    when n_labelled > 2 and improvement_error is null
                        then 'no_variance'
                end,
                case
                    when
                        is_binary
                        and n_labelled > 0
                        and rogan_gladen_improvement is null
                        then 'one_class'
                end
            ],
            null
        ) as notes
    from tested
)

select * from corrections
