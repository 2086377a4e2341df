-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `outcomes` to `sequences`: how often one run differs from
    the one before it, within results whose repetitions disagree.
#}
{% macro task_sequences() -%}
mixed_results as materialized (
    select
        experiment_id,
        result_id,
        metric,
        is_outcome
    from outcomes
    where is_binary and passes > 0 and passes < runs
),

mixed_scores as (
    select
        counted_values.experiment_id,
        counted_values.result_id,
        counted_values.metric,
        counted_values.source,
        counted_values.source_run_id,
        counted_values.value = 1 as is_passed
    from counted_values
    inner join mixed_results
        on
            counted_values.experiment_id = mixed_results.experiment_id
            and counted_values.result_id = mixed_results.result_id
            and counted_values.metric = mixed_results.metric
    where
        counted_values.experiment_id = any(
            array(
                select distinct named.experiment_id
                from mixed_results as named
                where not named.is_outcome
            )
        )
        and not mixed_results.is_outcome
        and counted_values.kind = 'score'
        and counted_values.value is not null
),

mixed_runs as (
    select
        mixed_scores.experiment_id,
        mixed_scores.result_id,
        mixed_scores.metric,
        mixed_scores.source_run_id,
        mixed_scores.is_passed,
        evaluation_trials.recorded_at
    from mixed_scores
    inner join evaluation_trials
        on
            mixed_scores.experiment_id = evaluation_trials.experiment_id
            and mixed_scores.source = evaluation_trials.source
            and mixed_scores.source_run_id = evaluation_trials.source_run_id
    union all
    select
        evaluation_trials.experiment_id,
        evaluation_trials.result_id,
        mixed_results.metric,
        evaluation_trials.source_run_id,
        evaluation_trials.success as is_passed,
        evaluation_trials.recorded_at
    from evaluation_trials
    inner join mixed_results
        on
            evaluation_trials.experiment_id = mixed_results.experiment_id
            and evaluation_trials.result_id = mixed_results.result_id
    where
        mixed_results.is_outcome
        and evaluation_trials.success is not null
),

stepped_runs as (
    select
        *,
        lag(is_passed) over runs as was_passed,
        row_number() over runs as place,
        count(*) over (
            partition by experiment_id, result_id, metric
        ) as run_count
    from mixed_runs
    window runs as (
        partition by experiment_id, result_id, metric
        order by recorded_at, source_run_id collate "C"
    )
),

sequences as materialized (
    select
        experiment_id,
        result_id,
        metric,
        count(*) filter (where is_passed != was_passed) as flips,
        bool_or(is_passed) filter (where place = 1) as first_passed,
        bool_or(is_passed) filter (where place = run_count) as last_passed
    from stepped_runs
    group by experiment_id, result_id, metric
)
{%- endmacro %}
