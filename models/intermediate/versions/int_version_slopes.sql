{#
    Trend of every series over its latest versions: the Mann-Kendall test, and
    the Theil-Sen slope per version.
#}
{% set window_versions = var('trend_window_versions') %}

with

series as (
    select * from {{ ref('int_version_series') }}
),

-- a number for each series: pairs of versions are many
numbered as (
    select
        agent_name,
        experiment_group,
        model_version,
        metric,
        version_rank,
        series_position,
        avg_value,
        dense_rank() over (
            order by agent_name, experiment_group, model_version, metric
        ) as series_number,
        max(series_position) over (
            partition by agent_name, experiment_group, model_version, metric
        ) as series_length
    from series
),

latest as (
    select *
    from numbered
    where
        series_position > series_length - {{ window_versions }}
        and avg_value is not null
),

pairs as (
    select
        earlier.series_number,
        sign(later.avg_value - earlier.avg_value) as direction,
        (later.avg_value - earlier.avg_value)
        / (later.version_rank - earlier.version_rank) as slope
    from latest as earlier
    inner join latest as later
        on
            earlier.series_number = later.series_number
            and earlier.version_rank < later.version_rank
),

scores as (
    select
        series_number,
        sum(direction) as kendall_score,
        percentile_cont(0.5) within group (order by slope) as theil_sen_slope
    from pairs
    group by series_number
),

tied_values as (
    select
        series_number,
        count(*)::double precision as tied_count
    from latest
    group by series_number, avg_value
),

ties as (
    select
        series_number,
        sum(tied_count)::bigint as version_count,
        array_agg(tied_count order by tied_count) as tied_counts
    from tied_values
    group by series_number
),

names as (
    select distinct
        series_number,
        agent_name,
        experiment_group,
        model_version,
        metric
    from latest
),

slopes as (
    select
        names.agent_name,
        names.experiment_group,
        names.model_version,
        names.metric,
        ties.version_count as trend_version_count,
        scores.theil_sen_slope,
        case
            when ties.version_count >= 4
                then
                    {{ statistical_function('mann_kendall_p_value') }}(
                        scores.kendall_score, ties.tied_counts
                    )
        end as mann_kendall_p_value
    from scores
    inner join ties
        on scores.series_number = ties.series_number
    inner join names
        on scores.series_number = names.series_number
)

select * from slopes
