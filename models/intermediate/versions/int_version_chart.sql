{#
    A control chart of every series: where a fall in level was found, and where
    the level came back. Three alarms, in deviates of the like-for-like
    worsening: far below the frozen reference (shift), below it for long (drift:
    one-sided CUSUM, Page 1954), or far below the version before (step).

    An alert ends where the level was back by a share of the fall for two
    versions in a row, so the state of one version rests on that of the one
    before: the one recursion here, over all series at once.
#}
{%- set key = [
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
    "metric",
    "chart",
] %}
{{
    config(
        materialized="table",
        indexes=[{"columns": key, "unique": true}],
    )
}}

{% set allowance = var('drift_allowance') %}
{% set drift_limit = var('drift_limit') %}
{% set shift_limit = var('shift_limit') %}
{% set step_limit = var('step_limit') %}
{% set returned_share = var('alert_returned_share') %}

with recursive

series as (
    select *
    from {{ ref('int_version_series') }}
    where direction_sign is not null
),

comparisons as (
    select * from {{ ref('int_version_comparisons') }}
),

compared as (
    select
        series.agent_name,
        series.experiment_group,
        series.extension_version,
        series.model_version,
        series.metric,
        series.segment,
        series.series_position,
        series.is_accepted_change,
        reference.worsening_deviate as reference_deviate,
        -series.direction_sign * reference.shared_difference
            as reference_worsening,
        step.worsening_deviate as step_deviate,
        case
            when step.worsening_deviate is not null
                then -series.direction_sign * step.shared_difference
            else 0
        end as step_worsening
    from series
    left join comparisons as reference
        on
            {{ is_same_version('series', 'reference', ['metric']) }}
            and reference.comparison = 'reference'
    left join comparisons as step
        on
            {{ is_same_version('series', 'step', ['metric']) }}
            and step.comparison = 'previous'
),

-- an accepted version is the last of one chart and the first of the next
charted as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        segment as chart,
        series_position,
        case when not is_accepted_change then reference_deviate end
            as reference_deviate,
        case when not is_accepted_change then reference_worsening end
            as reference_worsening,
        case when not is_accepted_change then step_deviate end as step_deviate,
        case when is_accepted_change then 0 else step_worsening end
            as step_worsening,
        false as is_accepted_change
    from compared
    union all
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        segment - 1 as chart,
        series_position,
        reference_deviate,
        reference_worsening,
        step_deviate,
        step_worsening,
        true as is_accepted_change
    from compared
    where is_accepted_change and series_position > 1
),

observations as (
    select
        *,
        dense_rank() over (
            order by agent_name, experiment_group, model_version, metric, chart
        ) as chart_number,
        row_number() over chart_in_order as place,
        -- like for like against the chart's first version, link by link
        sum(step_worsening) over chart_in_order as chained_worsening
    from charted
    window
        chart_in_order as (
            partition by
                agent_name, experiment_group, model_version, metric, chart
            order by series_position
        )
),

charts as (
    select
        chart_number,
        count(*) as length,
        array_agg(reference_deviate order by place) as reference_deviates,
        array_agg(reference_worsening order by place) as reference_worsenings,
        array_agg(step_deviate order by place) as step_deviates,
        array_agg(chained_worsening order by place) as chained_worsenings
    from observations
    group by chart_number
),

states as (
    select
        chart_number,
        0::bigint as place,
        0::double precision as cusum,
        null::bigint as cusum_from,
        0::bigint as alert_number,
        null::text as cause,
        null::bigint as began_place,
        null::bigint as back_place,
        0::bigint as back_count,
        null::double precision as level_before,
        null::double precision as level_back,
        false as is_open,
        false as is_found
    from charts
    union all
    select
        states.chart_number,
        states.place + 1 as place,
        judged.cusum,
        case
            when judged.cusum > 0
                then coalesce(states.cusum_from, states.place + 1)
        end as cusum_from,
        states.alert_number + (judged.alarm is not null)::integer
            as alert_number,
        coalesce(judged.alarm, case when states.is_open then states.cause end)
            as cause,
        case
            when judged.alarm = 'drift'
                then coalesce(states.cusum_from, states.place + 1)
            when judged.alarm is not null then states.place + 1
            when states.is_open then states.began_place
        end as began_place,
        case
            when judged.is_back
                then coalesce(states.back_place, states.place + 1)
            when judged.is_back is null then states.back_place
        end as back_place,
        case
            when judged.is_back then states.back_count + 1
            when judged.is_back is null then states.back_count
            else 0
        end as back_count,
        case
            when judged.alarm = 'step'
                then charts.chained_worsenings[states.place]
            when states.is_open then states.level_before
        end as level_before,
        case
            when judged.alarm = 'step'
                then
                    {{ returned_share }} * (
                        charts.chained_worsenings[states.place + 1]
                        - charts.chained_worsenings[states.place]
                    )
            when judged.alarm is not null
                then
                    {{ returned_share }}
                    * charts.reference_worsenings[states.place + 1]
            when states.is_open then states.level_back
        end as level_back,
        judged.alarm is not null
        or (
            states.is_open
            and not (
                coalesce(judged.is_back, false) and states.back_count >= 1
            )
        ) as is_open,
        judged.alarm is not null as is_found
    from states
    inner join charts
        on
            states.chart_number = charts.chart_number
            and states.place < charts.length
    cross join
        lateral (
            values
            (
                case
                    when states.is_open then 0
                    else
                        greatest(
                            0,
                            states.cusum
                            + coalesce(
                                charts.reference_deviates[states.place + 1]
                                - {{ allowance }},
                                0
                            )
                        )
                end,
                case
                    when states.is_open then null
                    when
                        charts.reference_deviates[states.place + 1]
                        >= {{ shift_limit }}
                        then 'shift'
                    when
                        states.cusum
                        + charts.reference_deviates[states.place + 1]
                        - {{ allowance }} > {{ drift_limit }}
                        then 'drift'
                    when
                        charts.step_deviates[states.place + 1]
                        >= {{ step_limit }}
                        then 'step'
                end,
                case
                    when states.is_open and states.cause = 'step'
                        then
                            charts.chained_worsenings[states.place + 1]
                            - states.level_before <= states.level_back
                    when states.is_open
                        then
                            charts.reference_worsenings[states.place + 1]
                            <= states.level_back
                end
            )
        ) as judged (cusum, alarm, is_back)
),

placed as (
    select
        observations.agent_name,
        observations.experiment_group,
        observations.extension_version,
        observations.model_version,
        observations.metric,
        observations.chart,
        states.alert_number,
        states.cause,
        observations.series_position,
        -- places of a chart are positions of the series, moved
        (
            observations.series_position - states.place + states.began_place
        )::integer as began_position,
        (
            observations.series_position - states.place + states.back_place
        )::integer as back_position,
        observations.reference_deviate,
        observations.step_deviate,
        states.cusum,
        states.is_open,
        states.is_found,
        observations.is_accepted_change
    from states
    inner join observations
        on
            states.chart_number = observations.chart_number
            and states.place = observations.place
)

select * from placed
