{#
    Trend of every series over its latest versions: Mann-Kendall, with the
    variance corrected for ties, and the Theil-Sen slope per version.
#}
{% set window_versions = var('trend_window_versions') %}

with

series as (
    select * from {{ ref('int_version_series') }}
),

counted as (
    select
        *,
        max(series_position) over (
            partition by agent_name, experiment_group, model_version, metric
        ) as series_length
    from series
),

latest as (
    select
        agent_name,
        experiment_group,
        model_version,
        metric,
        version_rank,
        avg_value
    from counted
    where
        series_position > series_length - {{ window_versions }}
        and avg_value is not null
),

pairs as (
    select
        earlier.agent_name,
        earlier.experiment_group,
        earlier.model_version,
        earlier.metric,
        sign(later.avg_value - earlier.avg_value) as direction,
        (later.avg_value - earlier.avg_value)
        / (later.version_rank - earlier.version_rank) as slope
    from latest as earlier
    inner join latest as later
        on
            earlier.agent_name = later.agent_name
            and earlier.experiment_group = later.experiment_group
            and earlier.model_version = later.model_version
            and earlier.metric = later.metric
            and earlier.version_rank < later.version_rank
),

scores as (
    select
        agent_name,
        experiment_group,
        model_version,
        metric,
        sum(direction) as kendall_score,
        percentile_cont(0.5) within group (order by slope) as theil_sen_slope
    from pairs
    group by agent_name, experiment_group, model_version, metric
),

tied_values as (
    select
        agent_name,
        experiment_group,
        model_version,
        metric,
        count(*)::double precision as tied_count
    from latest
    group by agent_name, experiment_group, model_version, metric, avg_value
),

variances as (
    select
        agent_name,
        experiment_group,
        model_version,
        metric,
        sum(tied_count)::bigint as version_count,
        (
            sum(tied_count) * (sum(tied_count) - 1) * (2 * sum(tied_count) + 5)
            - sum(tied_count * (tied_count - 1) * (2 * tied_count + 5))
        ) / 18 as score_variance
    from tied_values
    group by agent_name, experiment_group, model_version, metric
),

slopes as (
    select
        scores.agent_name,
        scores.experiment_group,
        scores.model_version,
        scores.metric,
        variances.version_count as trend_version_count,
        scores.theil_sen_slope,
        case
            when variances.version_count >= 4 and variances.score_variance > 0
                then
                    least(
                        1,
                        2 * {{ statistical_function('normal_sf') }}(
                            abs(scores.kendall_score)
                            / sqrt(variances.score_variance)
                        )
                    )
        end as mann_kendall_p_value
    from scores
    inner join variances
        on
            scores.agent_name = variances.agent_name
            and scores.experiment_group = variances.experiment_group
            and scores.model_version = variances.model_version
            and scores.metric = variances.metric
)

select * from slopes
