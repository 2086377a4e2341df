-- sqlfluff:exclude_rules:LT02
{#
    Fourth step, from `pairs` to `evaluator_conflicts` and `one_sided_scores`:
    the metrics of a pair that the arms' evaluators may not have scored alike.
#}
{% macro evaluator_differences() -%}
-- the metrics of a pair that two versions of one evaluator scored
evaluator_conflicts as (
    select
        pairs.candidate_result_id,
        pairs.baseline_result_id,
        array_agg(
            distinct coalesce(
                evaluator_metrics.metric, evaluators.evaluator_key
            )
        ) as conflicting_metrics
    from pairs
    cross join
        lateral
        jsonb_each(pairs.baseline_evaluator_versions)
            as evaluators (evaluator_key, evaluator_version)
    left join evaluator_metrics
        on evaluators.evaluator_key = evaluator_metrics.evaluator_key
    where
        pairs.candidate_evaluator_versions != pairs.baseline_evaluator_versions
        and pairs.candidate_evaluator_versions -> evaluators.evaluator_key
        != evaluators.evaluator_version
    group by pairs.candidate_result_id, pairs.baseline_result_id
),

-- the evaluators of a pair whose version one arm alone recorded
one_sided_evaluators as (
    select
        pairs.experiment_id,
        pairs.control_experiment_id,
        pairs.candidate_result_id,
        pairs.baseline_result_id,
        evaluators.evaluator_key
    from pairs
    cross join
        lateral
        jsonb_each_text(
            pairs.candidate_evaluator_versions
            || pairs.baseline_evaluator_versions
        ) as evaluators (evaluator_key, evaluator_version)
    where
        pairs.candidate_evaluator_versions != pairs.baseline_evaluator_versions
        and (
            pairs.candidate_evaluator_versions -> evaluators.evaluator_key
            is null
        ) != (
            pairs.baseline_evaluator_versions -> evaluators.evaluator_key
            is null
        )
),

one_sided_scores as (
    select
        one_sided_evaluators.candidate_result_id,
        one_sided_evaluators.baseline_result_id,
        array_agg(distinct candidate_scores.metric) as one_sided_metrics
    from one_sided_evaluators
    left join evaluator_metrics
        on
            one_sided_evaluators.evaluator_key
            = evaluator_metrics.evaluator_key
    inner join evaluation_scores as candidate_scores
        on
            one_sided_evaluators.experiment_id = candidate_scores.experiment_id
            and one_sided_evaluators.candidate_result_id
            = candidate_scores.result_id
            and coalesce(
                evaluator_metrics.metric, one_sided_evaluators.evaluator_key
            ) = candidate_scores.metric
    inner join evaluation_scores as baseline_scores
        on
            one_sided_evaluators.control_experiment_id
            = baseline_scores.experiment_id
            and one_sided_evaluators.baseline_result_id
            = baseline_scores.result_id
            and candidate_scores.metric = baseline_scores.metric
    where
        candidate_scores.value is not null
        and baseline_scores.value is not null
    group by
        one_sided_evaluators.candidate_result_id,
        one_sided_evaluators.baseline_result_id
)
{%- endmacro %}
