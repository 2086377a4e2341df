{{ config(indexes=[{"columns": ["recorded_on"]}]) }}

with

daily_rollups as (
    select * from {{ ref('int_daily_rollups') }}
),

summed as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        max(kind) as kind,
        sum(sample_count)::bigint as sample_count,
        sum(value_sum) as value_sum,
        sum(value_sum_of_squares) as value_sum_of_squares,
        min(value_min) as value_min,
        max(value_max) as value_max,
        recorded_on
    from daily_rollups
    group by
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        recorded_on
)

select * from summed
