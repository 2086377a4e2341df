{{ config(indexes=[{"columns": ["agent_name", "metric"]}]) }}

{# all that is compared when a version comes out #}
{% set family = 'experiment_group, extension_version' %}

with

series as (
    select * from {{ ref('int_version_series') }}
),

comparisons as (
    select * from {{ ref('int_version_comparisons') }}
),

chart as (
    select * from {{ ref('int_version_chart') }}
),

tested as (
    select
        comparisons.*,
        series.version_rank,
        series.previous_extension_version,
        series.direction_sign,
        series.first_recorded_at,
        series.last_recorded_at
    from comparisons
    inner join series
        on {{ is_same_version('comparisons', 'series', ['metric']) }}
    where
        comparisons.comparison = 'previous'
        and comparisons.p_value is not null
        and series.direction_sign is not null
),

stepped as (
    select
        *,
        {{ bh_step('p_value', family) }} as p_value_step
    from tested
),

adjusted as (
    select
        *,
        {{ bh_p_value('p_value_step', 'p_value', family) }} as p_value_bh
    from stepped
),

open_charts as (
    select distinct
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric
    from chart
    where is_open
),

regressions as (
    select
        adjusted.agent_name,
        adjusted.experiment_group,
        adjusted.extension_version,
        adjusted.model_version,
        adjusted.metric,
        adjusted.previous_extension_version,
        adjusted.method,
        {{ regression_severity('adjusted.change_pct') }} as severity,
        adjusted.version_rank,
        adjusted.task_count,
        adjusted.baseline_task_count as previous_task_count,
        adjusted.shared_task_count,
        case
            when adjusted.method = 'welch'
                then adjusted.task_count + adjusted.baseline_task_count
            else adjusted.shared_task_count
        end as n,
        adjusted.change,
        adjusted.change_low,
        adjusted.change_high,
        adjusted.change_pct,
        adjusted.p_value,
        adjusted.p_value_bh,
        adjusted.p_value_bh <= {{ var('alpha') }} as is_significant,
        open_charts.agent_name is not null as is_alert_open,
        adjusted.first_recorded_at,
        adjusted.last_recorded_at
    from adjusted
    left join open_charts
        on {{ is_same_version('adjusted', 'open_charts', ['metric']) }}
    where adjusted.direction_sign * adjusted.change < 0
)

select * from regressions
