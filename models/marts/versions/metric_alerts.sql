{{ config(indexes=[{"columns": ["agent_name", "metric"]}]) }}

with

chart as (
    select * from {{ ref('int_version_chart') }}
),

series as (
    select * from {{ ref('int_version_series') }}
),

comparisons as (
    select * from {{ ref('int_version_comparisons') }}
),

outages as (
    select * from {{ ref('int_version_outages') }}
),

found as (
    select *
    from chart
    where is_found
),

-- rows of an alert: open ones, and the one at which it closed
alert_rows as (
    select
        *,
        row_number() over (
            partition by
                agent_name,
                experiment_group,
                model_version,
                metric,
                chart,
                alert_number
            order by series_position desc
        ) as from_last
    from chart
    where cause is not null
),

-- materialized: the planner would join the series before the alerts are few
alerts as materialized (
    select
        found.agent_name,
        found.experiment_group,
        found.model_version,
        found.metric,
        found.extension_version as found_version,
        found.cause,
        found.began_position,
        case
            when not last_rows.is_open then last_rows.back_position
            when last_rows.is_accepted_change then last_rows.series_position
        end as ended_position,
        case
            when not last_rows.is_open then 'returned'
            when last_rows.is_accepted_change then 'accepted'
        end as end_reason,
        last_rows.series_position as last_position,
        case when found.cause = 'step' then 'previous' else 'reference' end
            as compared_with,
        case
            when found.cause = 'step' then found.step_deviate
            else found.reference_deviate
        end as deviate
    from found
    inner join alert_rows as last_rows
        on
            {{
                is_same_series('found', 'last_rows', ['chart', 'alert_number'])
            }}
            and last_rows.from_last = 1
),

metric_alerts as (
    select
        alerts.agent_name,
        alerts.experiment_group,
        alerts.model_version,
        alerts.metric,
        began.extension_version as began_version,
        alerts.found_version,
        ended.extension_version as ended_version,
        alerts.cause,
        alerts.compared_with,
        alerts.end_reason,
        {{ regression_severity('comparisons.change_pct') }} as severity,
        coalesce(alerts.ended_position, alerts.last_position + 1)
        - alerts.began_position as version_count,
        comparisons.shared_task_count,
        comparisons.shared_baseline_mean as level_before,
        comparisons.shared_mean as level_found,
        comparisons.change_pct,
        alerts.deviate,
        ended.extension_version is null as is_open,
        began.first_recorded_at as began_at,
        found_series.first_recorded_at as found_at,
        ended.first_recorded_at as ended_at
    from alerts
    inner join comparisons
        on
            {{ is_same_series('alerts', 'comparisons') }}
            and alerts.found_version = comparisons.extension_version
            and alerts.compared_with = comparisons.comparison
    inner join series as began
        on
            {{ is_same_series('alerts', 'began') }}
            and alerts.began_position = began.series_position
    inner join series as found_series
        on
            {{ is_same_series('alerts', 'found_series') }}
            and alerts.found_version = found_series.extension_version
    left join series as ended
        on
            {{ is_same_series('alerts', 'ended') }}
            and alerts.ended_position = ended.series_position
),

outage_alerts as (
    select
        agent_name,
        experiment_group,
        model_version,
        'success_rate' as metric,
        began_version,
        found_version,
        ended_version,
        'outage' as cause,
        'previous' as compared_with,
        end_reason,
        'critical' as severity,
        version_count::integer as version_count,
        null::bigint as shared_task_count,
        level_before,
        0::double precision as level_found,
        -100::double precision as change_pct,
        null::double precision as deviate,
        ended_version is null as is_open,
        began_at,
        found_at,
        ended_at
    from outages
),

all_alerts as (
    select * from metric_alerts
    union all
    select * from outage_alerts
)

select * from all_alerts
