{#
    Two marts that state one fact agree: the days of a version add up to its
    trend, less what was purged. A row is a version and metric for which they
    do not.
#}
with

rollups as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        sum(sample_count - purged_sample_count) as sample_count,
        sum(purged_sample_count) as purged_sample_count,
        sum(value_sum) / sum(sample_count) as avg_value
    from {{ ref('metric_daily_rollups') }}
    group by
        agent_name, experiment_group, extension_version, model_version, metric
),

trends as (
    select * from {{ ref('version_trends') }}
),

mismatched as (
    select
        coalesce(trends.agent_name, rollups.agent_name) as agent_name,
        coalesce(trends.extension_version, rollups.extension_version)
            as extension_version,
        coalesce(trends.metric, rollups.metric) as metric,
        trends.sample_count as trend_sample_count,
        rollups.sample_count as rollup_sample_count
    from trends
    full join rollups
        on
            trends.agent_name = rollups.agent_name
            and trends.experiment_group = rollups.experiment_group
            and trends.extension_version = rollups.extension_version
            and trends.model_version = rollups.model_version
            and trends.metric = rollups.metric
    where
        coalesce(trends.sample_count, 0)
        != coalesce(rollups.sample_count, 0)
        or rollups.purged_sample_count = 0
        and abs(trends.avg_value - rollups.avg_value)
        > 1e-9 * abs(rollups.avg_value)
)

select * from mismatched
