{#
    Comparisons whose arms two versions of a judge scored, across a bridge:
    answers that both versions scored tell how far their scores lie apart, and
    that is taken off. A view: only experiments with such pairs are read. Its
    steps are macros of macros/judges, read in this order.
#}
{{ config(materialized="view") }}
{%- set alpha = var('alpha') %}

with

results_paired as materialized (
    select * from {{ ref('int_results_paired') }}
    where
        conflicting_metrics is not null
        and candidate_result_id is not null
        and baseline_result_id is not null
        and not_comparable_reason is distinct from 'dataset_version_differs'
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

evaluation_results as not materialized (
    select * from {{ ref('evaluation_results') }}
),

evaluator_metrics as (
    select * from {{ ref('int_evaluator_metrics') }}
),

judgements as materialized (
    select *
    from {{ ref('int_judgements_repeated') }}
    -- where no arms need a bridge, nothing is read
    where exists (select from results_paired)
),

metric_comparisons as (
    select * from {{ ref('experiment_metric_comparisons') }}
),

{{ bridge_pairs() }},

{{ bridge_errors() }},

bridged as (
    select
        spans.*,
        comparisons.role,
        comparisons.improvement_margin,
        errors.effective_clusters,
        case
            when errors.improvement_error > {{ rounding_noise() }}
                then errors.improvement_error
        end as improvement_error,
        errors.degrees_of_freedom,
        spans.n_bridge_tasks < {{ var('minimum_labels') }} as has_few_answers,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, errors.degrees_of_freedom
        ) as critical_value
    from spans
    inner join metric_comparisons as comparisons
        on {{ is_same_comparison('spans', 'comparisons', ['metric']) }}
    left join errors
        on {{ is_same_comparison('spans', 'errors', ['metric']) }}
    where comparisons.direction != 'unknown'
),

-- a number that rests on too few answers shows, and proves nothing
tested as (
    select
        *,
        case when not has_few_answers then improvement_error end as test_error
    from bridged
),

bridges as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        role,
        evaluator_key,
        baseline_judge_version,
        candidate_judge_version,
        n_pairs::integer as n_pairs,
        n_bridged_pairs::integer as n_bridged_pairs,
        n_bridge_answers::integer as n_bridge_answers,
        n_bridge_tasks::integer as n_bridge_tasks,
        effective_clusters,
        pair_coverage,
        missing_share,
        judge_difference,
        unbridged_improvement,
        improvement,
        improvement_error,
        degrees_of_freedom,
        improvement - critical_value * improvement_error as improvement_low,
        improvement + critical_value * improvement_error as improvement_high,
        improvement_margin,
        {{ statistical_function('student_t_p_value') }}(
            {{ statistical_function('safe_divide') }}(improvement, test_error),
            degrees_of_freedom
        ) as p_value,
        {{ statistical_function('student_t_sf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement - missing_share, test_error
            ),
            degrees_of_freedom
        ) as p_better,
        {{ statistical_function('student_t_cdf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement + missing_share, test_error
            ),
            degrees_of_freedom
        ) as p_worse,
        {{ statistical_function('student_t_sf') }}(
            {{ statistical_function('safe_divide') }}(
                improvement - missing_share + improvement_margin, test_error
            ),
            degrees_of_freedom
        ) as p_lost,
        array_remove(
            array[
                case when n_version_pairs > 1 then 'several_versions' end,
                case
                    when n_version_pairs = 1 and n_bridge_answers = 0
                        then 'no_bridge'
                    when n_version_pairs = 1 and has_few_answers
                        then 'few_answers'
                end
            ],
            null
        ) as notes
    from tested
)

select * from bridges
