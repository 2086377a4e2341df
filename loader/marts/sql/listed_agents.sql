-- Every agent that has results of a version, and what is open of it.
with versions as (
    select
        agent_name,
        count(distinct extension_version) as versions,
        count(distinct metric) as metrics,
        max(last_recorded_at) as last_recorded_at
    from {version_trends}
    group by agent_name
),

latest as (
    select distinct on (agent_name)
        agent_name,
        extension_version as latest_version
    from {version_trends}
    order by
        agent_name asc,
        last_recorded_at desc nulls last,
        version_rank desc nulls last,
        extension_version desc
),

open_alerts as (
    select
        agent_name,
        count(*) as open_alerts
    from {metric_alerts}
    where is_open
    group by agent_name
)

select
    versions.agent_name,
    latest.latest_version,
    versions.versions,
    versions.metrics,
    coalesce(open_alerts.open_alerts, 0) as open_alerts,
    versions.last_recorded_at
from versions
inner join latest
    on versions.agent_name = latest.agent_name
left join open_alerts
    on versions.agent_name = open_alerts.agent_name
where %(search)s::text is null or versions.agent_name ilike %(search)s
