{#
    Quantiles do not add up, so a version is computed from all its values, but
    only when one of them may have changed. Every rewritten row of
    int_daily_rollups carries a new build number, so number of rows and highest
    build number together differ whenever anything below them does.
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
        materialized="incremental",
        unique_key=[
            "agent_name",
            "experiment_group",
            "extension_version",
            "model_version",
        ],
        indexes=[{"columns": key, "unique": true}],
        post_hook="{{ delete_gone_versions(ref('int_daily_rollups')) }}",
    )
}}

with

rollups as (
    select * from {{ ref('int_daily_rollups') }}
),

versions as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        count(*) as rollup_count,
        max(changed_in_build) as changed_in_build
    from rollups
    group by agent_name, experiment_group, extension_version, model_version
),

changed_versions as (
    select versions.*
    from versions
    {% if is_incremental() %}
        left join {{ this }} as built_versions
            on
                {{
                    is_same_version(
                        'versions',
                        'built_versions',
                        ['rollup_count', 'changed_in_build']
                    )
                }}
        where built_versions.agent_name is null
    {% endif %}
),

changed_experiments as (
    select distinct rollups.experiment_id
    from rollups
    inner join changed_versions
        on {{ is_same_version('rollups', 'changed_versions') }}
),

evaluation_results as (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'changed_experiments', 'experiment_id'
        )
    }}
),

evaluation_scores as (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'changed_experiments', 'experiment_id'
        )
    }}
),

aggregated as (
    select
        changed_versions.agent_name,
        changed_versions.experiment_group,
        changed_versions.extension_version,
        changed_versions.model_version,
        evaluation_scores.metric,
        max(evaluation_scores.kind) as kind,
        changed_versions.rollup_count,
        changed_versions.changed_in_build,
        count(*) as sample_count,
        avg(evaluation_scores.value::numeric) as avg_value,
        min(evaluation_scores.value) as min_value,
        max(evaluation_scores.value) as max_value,
        stddev_samp(evaluation_scores.value::numeric) as stddev_value,
        percentile_cont(array[0.5, 0.95]) within group (
            order by evaluation_scores.value
        ) as quantiles,
        min(evaluation_results.recorded_at) as first_recorded_at,
        max(evaluation_results.recorded_at) as last_recorded_at
    from evaluation_results
    inner join changed_versions
        on {{ is_result_of_version('evaluation_results', 'changed_versions') }}
    inner join evaluation_scores
        on
            evaluation_results.experiment_id = evaluation_scores.experiment_id
            and evaluation_results.result_id = evaluation_scores.result_id
    where evaluation_scores.value is not null
    group by
        changed_versions.agent_name,
        changed_versions.experiment_group,
        changed_versions.extension_version,
        changed_versions.model_version,
        changed_versions.rollup_count,
        changed_versions.changed_in_build,
        evaluation_scores.metric
),

converted as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        kind,
        rollup_count,
        changed_in_build,
        sample_count,
        {{ function('to_double') }}(avg_value) as avg_value,
        min_value,
        max_value,
        {{ function('to_double') }}(stddev_value) as stddev_value,
        quantiles[1] as p50_value,
        quantiles[2] as p95_value,
        first_recorded_at,
        last_recorded_at
    from aggregated
)

select * from converted
