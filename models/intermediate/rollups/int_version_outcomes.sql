{#
    How many results of a version succeeded, by experiment, so that only what a
    load changed is counted again. A version whose results all failed has no
    score, and so no place among the trends: it has one here.
#}
{%- set key = [
    "experiment_id",
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
    )
}}

with

evaluation_results as (
    {{ changed_rows(ref('evaluation_results')) }}
),

counted as (
    select
        experiment_id,
        coalesce(agent_name, 'unknown') as agent_name,
        experiment_group,
        extension_version,
        model_version,
        count(*) as result_count,
        -- what nobody said has not failed
        count(*) filter (
            where failed_repetitions < repetitions
        ) as succeeded_count,
        min(recorded_at) as first_recorded_at,
        max(recorded_at) as last_recorded_at
    from evaluation_results
    group by
        experiment_id,
        coalesce(agent_name, 'unknown'),
        experiment_group,
        extension_version,
        model_version
)

select * from counted
