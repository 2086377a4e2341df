{{ config(indexes=[{"columns": ["recorded_on"]}]) }}

with

daily_rollups as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        kind,
        sample_count,
        0::bigint as purged_sample_count,
        value_sum,
        value_sum_of_squares,
        value_min,
        value_max,
        recorded_on
    from {{ ref('int_daily_rollups') }}
    {% if var('keep_purged_rollups') %}
        union all
        select
            agent_name,
            experiment_group,
            extension_version,
            model_version,
            metric,
            kind,
            sample_count,
            sample_count as purged_sample_count,
            value_sum,
            value_sum_of_squares,
            value_min,
            value_max,
            recorded_on
        from {{ kept_rollups() }}
    {% endif %}
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
        sum(purged_sample_count)::bigint as purged_sample_count,
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
