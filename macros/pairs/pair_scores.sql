-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `tasks` to `recorded_pairs`: the recorded metrics of both
    arms, side by side.
#}
{% macro pair_scores() -%}
baseline_values as (
    select
        tasks.pair_number,
        evaluation_scores.metric,
        evaluation_scores.kind,
        evaluation_scores.value,
        evaluation_scores.value_stddev,
        evaluation_scores.repetitions,
        evaluation_scores.failed_repetitions,
        evaluation_scores.is_binary
    from tasks
    inner join evaluation_scores
        on
            tasks.control_experiment_id = evaluation_scores.experiment_id
            and tasks.baseline_result_id = evaluation_scores.result_id
),

candidate_values as (
    select
        tasks.pair_number,
        evaluation_scores.metric,
        evaluation_scores.kind,
        evaluation_scores.value,
        evaluation_scores.value_stddev,
        evaluation_scores.repetitions,
        evaluation_scores.failed_repetitions,
        evaluation_scores.is_binary
    from tasks
    inner join evaluation_scores
        on
            tasks.experiment_id = evaluation_scores.experiment_id
            and tasks.candidate_result_id = evaluation_scores.result_id
),

paired_values as (
    select
        coalesce(candidate_values.pair_number, baseline_values.pair_number)
            as pair_number,
        coalesce(candidate_values.metric, baseline_values.metric) as metric,
        coalesce(candidate_values.kind, baseline_values.kind) as kind,
        -- a score in one arm and a measurement in the other share the name only
        coalesce(candidate_values.kind = baseline_values.kind, true)
            as is_same_kind,
        baseline_values.value as baseline_value,
        candidate_values.value as candidate_value,
        baseline_values.value_stddev as baseline_stddev,
        candidate_values.value_stddev as candidate_stddev,
        baseline_values.repetitions as baseline_repetitions,
        candidate_values.repetitions as candidate_repetitions,
        baseline_values.failed_repetitions as baseline_failed_repetitions,
        candidate_values.failed_repetitions as candidate_failed_repetitions,
        coalesce(baseline_values.is_binary, true)
        and coalesce(candidate_values.is_binary, true) as is_binary
    from candidate_values
    full join baseline_values
        on
            candidate_values.pair_number = baseline_values.pair_number
            and candidate_values.metric = baseline_values.metric
),

recorded_pairs as (
    select
        paired_values.pair_number,
        paired_values.metric,
        paired_values.kind,
        paired_values.is_same_kind,
        paired_values.baseline_value,
        paired_values.candidate_value,
        paired_values.baseline_stddev,
        paired_values.candidate_stddev,
        paired_values.baseline_repetitions,
        paired_values.candidate_repetitions,
        paired_values.is_binary,
        tasks.baseline_runs,
        tasks.candidate_runs,
        -- a crash explains why its score is missing
        tasks.baseline_failures
        - coalesce(paired_values.baseline_failed_repetitions, 0)
            as baseline_explained_runs,
        tasks.candidate_failures
        - coalesce(paired_values.candidate_failed_repetitions, 0)
            as candidate_explained_runs
    from paired_values
    inner join tasks
        on paired_values.pair_number = tasks.pair_number
)
{%- endmacro %}
