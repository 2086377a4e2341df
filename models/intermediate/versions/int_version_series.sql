{#
    One series per agent, group, model and metric; what compares versions reads
    their order, their direction and their segments here. A segment begins with
    a version that a person accepted as the new normal.
#}
{%- set key = [
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
    "metric",
] %}
{{
    config(
        materialized="table",
        indexes=[{"columns": key, "unique": true}],
    )
}}

with

version_statistics as (
    select * from {{ ref('int_version_statistics') }}
),

metrics as (
    select * from {{ ref('metrics') }}
),

accepted_changes as (
    select * from {{ ref('accepted_changes') }}
),

version_outcomes as (
    select * from {{ ref('int_version_outcomes') }}
),

said_of_experiments as (
    {{ said_directions() }}
),

-- what was said latest of a metric, in any experiment that an agent ran in
said_directions as (
    select distinct on (version_outcomes.agent_name, said_of_experiments.metric)
        version_outcomes.agent_name,
        said_of_experiments.metric,
        said_of_experiments.direction
    from said_of_experiments
    inner join version_outcomes
        on said_of_experiments.experiment_id = version_outcomes.experiment_id
    where said_of_experiments.direction is not null
    order by
        version_outcomes.agent_name asc,
        said_of_experiments.metric asc,
        said_of_experiments.load_id desc,
        said_of_experiments.experiment_id desc
),

sort_keys as materialized (
    {{ version_sort_keys('version_statistics') }}
),

seen_versions as (
    select
        agent_name,
        experiment_group,
        extension_version,
        min(first_recorded_at) as first_seen_at
    from version_statistics
    group by agent_name, experiment_group, extension_version
),

{{ anchored_versions() }},

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

series as (
    select
        version_statistics.*,
        ordered_versions.version_order_rule,
        ordered_versions.version_rank,
        case {{ metric_direction(
                'version_statistics.metric',
                'version_statistics.kind',
                'metrics.direction',
                'said_directions.direction',
            ) }}
            when 'lower' then -1
            when 'higher' then 1
        end as direction_sign,
        exists(
            select 1
            from accepted_changes
            where
                accepted_changes.extension_version
                = version_statistics.extension_version
                and accepted_changes.agent_name = version_statistics.agent_name
                and coalesce(
                    accepted_changes.experiment_group,
                    version_statistics.experiment_group
                ) = version_statistics.experiment_group
                and coalesce(
                    accepted_changes.metric, version_statistics.metric
                ) = version_statistics.metric
        ) as is_accepted_change
    from version_statistics
    inner join ordered_versions
        on
            version_statistics.agent_name = ordered_versions.agent_name
            and version_statistics.experiment_group
            = ordered_versions.experiment_group
            and version_statistics.extension_version
            = ordered_versions.extension_version
    left join metrics
        on version_statistics.metric = metrics.metric
    left join said_directions
        on
            version_statistics.agent_name = said_directions.agent_name
            and version_statistics.metric = said_directions.metric
),

segmented as (
    select
        *,
        lag(extension_version) over series_in_order
            as previous_extension_version,
        row_number() over series_in_order as series_position,
        count(*) filter (where is_accepted_change) over series_in_order
            as segment
    from series
    window
        series_in_order as (
            partition by agent_name, experiment_group, model_version, metric
            order by version_rank
        )
),

positioned as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        kind,
        version_order_rule,
        previous_extension_version,
        rollup_count || ':' || changed_in_build as fingerprint,
        version_rank::integer as version_rank,
        series_position::integer as series_position,
        segment::integer as segment,
        (
            row_number() over (
                partition by
                    agent_name, experiment_group, model_version, metric, segment
                order by version_rank
            )
        )::integer as segment_position,
        direction_sign::integer as direction_sign,
        sample_count,
        avg_value,
        min_value,
        max_value,
        stddev_value,
        p50_value,
        p95_value,
        is_accepted_change,
        first_recorded_at,
        last_recorded_at
    from segmented
)

select * from positioned
