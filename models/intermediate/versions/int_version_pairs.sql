{#
    Which comparisons of versions there are, and a fingerprint that differs
    whenever something below one of them does. A baseline is a range of
    positions in the series.
#}
{%- set key = [
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
    "metric",
    "comparison",
] %}
{{
    config(
        materialized="table",
        indexes=[{"columns": key, "unique": true}],
    )
}}

{% set reference_size = var('drift_reference_versions') %}

with

series as (
    select * from {{ ref('int_version_series') }}
),

previous_pairs as (
    select
        series.agent_name,
        series.experiment_group,
        series.extension_version,
        series.model_version,
        series.metric,
        'previous' as comparison,
        series.fingerprint,
        previous.fingerprint as baseline_fingerprint,
        previous.extension_version as baseline_versions,
        previous.series_position as baseline_from,
        previous.series_position as baseline_to,
        1 as baseline_version_count,
        series.direction_sign
    from series
    inner join series as previous
        on
            {{ is_same_series('series', 'previous') }}
            and series.series_position = previous.series_position + 1
),

reference_sets as (
    select
        agent_name,
        experiment_group,
        model_version,
        metric,
        segment,
        string_agg(fingerprint, ' ' order by series_position)
            as baseline_fingerprint,
        string_agg(extension_version, ' ' order by series_position)
            as baseline_versions,
        min(series_position) as baseline_from,
        max(series_position) as baseline_to,
        count(*)::integer as baseline_version_count
    from series
    where segment_position <= {{ reference_size }}
    group by agent_name, experiment_group, model_version, metric, segment
    having count(*) = {{ reference_size }}
),

-- the accepted version itself is still held against what was before it
reference_pairs as (
    select
        series.agent_name,
        series.experiment_group,
        series.extension_version,
        series.model_version,
        series.metric,
        'reference' as comparison,
        series.fingerprint,
        reference_sets.baseline_fingerprint,
        reference_sets.baseline_versions,
        reference_sets.baseline_from,
        reference_sets.baseline_to,
        reference_sets.baseline_version_count,
        series.direction_sign
    from series
    inner join reference_sets
        on
            {{ is_same_series('series', 'reference_sets') }}
            and series.segment - series.is_accepted_change::integer
            = reference_sets.segment
            and series.series_position > reference_sets.baseline_to
    where series.direction_sign is not null
),

all_pairs as (
    select * from previous_pairs
    union all
    select * from reference_pairs
),

fingerprinted as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        comparison,
        concat_ws(
            ' | ',
            fingerprint,
            baseline_fingerprint,
            baseline_versions,
            direction_sign,
            '{{ var("alpha") }}',
            '{{ var("regression_min_shared_tasks") }}',
            '{{ var("drift_reference_weight") }}'
        ) as fingerprint,
        baseline_from,
        baseline_to,
        baseline_version_count,
        direction_sign
    from all_pairs
)

select * from fingerprinted
