{{ config(indexes=[{"columns": ["metric", "agent_name"]}]) }}

with

version_statistics as (
    select * from {{ ref('int_version_statistics') }}
),

versions as (
    select
        agent_name,
        experiment_group,
        extension_version,
        {{ function('version_sort_key') }}(extension_version)
            as version_sort_key,
        min(first_recorded_at) as first_seen_at
    from version_statistics
    group by agent_name, experiment_group, extension_version
),

anchored_versions as (
    select
        *,
        {{ version_anchor('agent_name, experiment_group') }} as version_anchor
    from versions
),

ordered_versions as (
    select
        agent_name,
        experiment_group,
        extension_version,
        case
            when version_sort_key is null then 'first_seen' else 'semantic'
        end as version_order_rule,
        row_number() over (
            partition by agent_name, experiment_group
            order by {{ version_order() }}
        ) as version_rank
    from anchored_versions
),

joined as (
    select
        version_statistics.agent_name,
        version_statistics.experiment_group,
        version_statistics.extension_version,
        version_statistics.model_version,
        version_statistics.metric,
        version_statistics.kind,
        ordered_versions.version_order_rule,
        lag(version_statistics.extension_version) over (
            partition by
                version_statistics.agent_name,
                version_statistics.experiment_group,
                version_statistics.model_version,
                version_statistics.metric
            order by ordered_versions.version_rank
        ) as previous_extension_version,
        ordered_versions.version_rank::integer as version_rank,
        version_statistics.sample_count,
        version_statistics.avg_value,
        version_statistics.min_value,
        version_statistics.max_value,
        version_statistics.stddev_value,
        version_statistics.p50_value,
        version_statistics.p95_value,
        version_statistics.first_recorded_at,
        version_statistics.last_recorded_at
    from version_statistics
    inner join ordered_versions
        on
            version_statistics.agent_name = ordered_versions.agent_name
            and version_statistics.experiment_group
            = ordered_versions.experiment_group
            and version_statistics.extension_version
            = ordered_versions.extension_version
)

select * from joined
