{%- set key = [
    "experiment_id",
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
    "metric",
    "recorded_on",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        pre_hook="{{ keep_purged_rollups() }}",
        post_hook="{{ subtract_live_rollups() }}",
    )
}}

with

evaluation_results as (
    {{ changed_rows(ref('evaluation_results')) }}
),

evaluation_scores as (
    {{ changed_rows(ref('evaluation_scores')) }}
),

aggregated as (
    select
        evaluation_results.experiment_id,
        coalesce(evaluation_results.agent_name, 'unknown') as agent_name,
        evaluation_results.experiment_group,
        evaluation_results.extension_version,
        evaluation_results.model_version,
        evaluation_scores.metric,
        max(evaluation_scores.kind) as kind,
        {{ current_build_number() }} as changed_in_build,
        count(*) as sample_count,
        sum(evaluation_scores.value::numeric) as value_sum,
        sum(evaluation_scores.value::numeric * evaluation_scores.value::numeric)
            as value_sum_of_squares,
        min(evaluation_scores.value) as value_min,
        max(evaluation_scores.value) as value_max,
        (evaluation_results.recorded_at at time zone 'UTC')::date as recorded_on
    from evaluation_results
    inner join evaluation_scores
        on
            evaluation_results.experiment_id = evaluation_scores.experiment_id
            and evaluation_results.result_id = evaluation_scores.result_id
    where evaluation_scores.value is not null
    group by
        evaluation_results.experiment_id,
        coalesce(evaluation_results.agent_name, 'unknown'),
        evaluation_results.experiment_group,
        evaluation_results.extension_version,
        evaluation_results.model_version,
        evaluation_scores.metric,
        (evaluation_results.recorded_at at time zone 'UTC')::date
)

select * from aggregated
