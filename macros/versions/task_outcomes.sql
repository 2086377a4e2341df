-- sqlfluff:exclude_rules:LT02
{#
    First step of flaky_tasks, from `evaluation_results` and `evaluation_scores`
    to `outcomes`: runs and passes of each result by its scores and by whether
    its runs ended well. A score that has the name of an outcome keeps it.
#}
{% macro task_outcomes() -%}
score_outcomes as (
    select
        evaluation_results.experiment_id,
        evaluation_results.result_id,
        evaluation_results.agent as agent_name,
        evaluation_results.experiment_group,
        evaluation_results.extension_version,
        evaluation_results.task_id,
        evaluation_scores.metric,
        evaluation_scores.repetitions as runs,
        evaluation_scores.passes,
        evaluation_scores.is_binary,
        false as is_outcome,
        evaluation_results.recorded_at
    from evaluation_scores
    inner join evaluation_results
        on
            evaluation_scores.experiment_id = evaluation_results.experiment_id
            and evaluation_scores.result_id = evaluation_results.result_id
    where evaluation_scores.kind = 'score' and evaluation_scores.repetitions > 0
),

success_outcomes as (
    select
        experiment_id,
        result_id,
        agent as agent_name,
        experiment_group,
        extension_version,
        task_id,
        'success' as metric,
        said_repetitions as runs,
        successes as passes,
        true as is_binary,
        true as is_outcome,
        recorded_at
    from evaluation_results
    where
        said_repetitions > 0
        and not exists (
            select
            from evaluation_scores as named
            where
                named.experiment_id = evaluation_results.experiment_id
                and named.result_id = evaluation_results.result_id
                and named.metric = 'success'
        )
),

outcomes as not materialized (
    select * from score_outcomes
    union all
    select * from success_outcomes
)
{%- endmacro %}
