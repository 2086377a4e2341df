{#
    Reads single runs, so it is kept up like int_version_moments: a
    regression is looked into once, and again when its fingerprint changes.

    Steps have no statistics: the planner takes them for one row and would loop
    over it.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key=[
            "agent_name",
            "experiment_group",
            "extension_version",
            "model_version",
            "metric",
        ],
        pre_hook="{{ join_by_hash() }}",
        post_hook="
            delete from {{ this }} as built
            where not exists (
                select
                from {{ ref('int_version_comparisons') }} as wanted
                where
                    wanted.comparison = 'previous'
                    and {{ is_same_version('built', 'wanted', ['metric']) }}
                    and built.comparison_fingerprint = wanted.fingerprint
            )
        ",
    )
}}

with

comparisons as (
    select * from {{ ref('int_version_comparisons') }}
),

series as (
    select * from {{ ref('int_version_series') }}
),

rollups as (
    select * from {{ ref('int_daily_rollups') }}
),

{% if is_incremental() %}
    built as (
        select distinct
            agent_name,
            experiment_group,
            extension_version,
            model_version,
            metric,
            comparison_fingerprint
        from {{ this }}
    ),
{% endif %}

regressions as (
    select
        comparisons.agent_name,
        comparisons.experiment_group,
        comparisons.extension_version,
        comparisons.model_version,
        comparisons.metric,
        comparisons.fingerprint,
        series.previous_extension_version,
        series.direction_sign
    from comparisons
    inner join series
        on {{ is_same_version('comparisons', 'series', ['metric']) }}
    {% if is_incremental() %}
        left join built
            on
                {{ is_same_version('comparisons', 'built', ['metric']) }}
                and comparisons.fingerprint = built.comparison_fingerprint
    {% endif %}
    where
        comparisons.comparison = 'previous'
        and comparisons.method in ('paired', 'sign')
        and comparisons.p_value <= {{ var('alpha') }}
        and series.direction_sign * comparisons.change < 0
        {% if is_incremental() %}
            and built.agent_name is null
        {% endif %}
),

wanted_versions as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version
    from regressions
    union distinct
    select
        agent_name,
        experiment_group,
        previous_extension_version as extension_version,
        model_version
    from regressions
),

wanted_experiments as (
    select distinct rollups.experiment_id
    from rollups
    inner join wanted_versions
        on {{ is_same_version('rollups', 'wanted_versions') }}
),

evaluation_results as (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

evaluation_scores as (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

evaluation_trials as (
    {{
        rows_of_experiments(
            ref('evaluation_trials'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

wanted_results as (
    {{ results_of_versions('wanted_versions') }}
),

task_means as (
    {{ version_task_means() }}
),

task_runs as (
    select
        wanted_results.agent_name,
        wanted_results.experiment_group,
        wanted_results.extension_version,
        wanted_results.model_version,
        wanted_results.task_id,
        array_agg(
            evaluation_trials.source_run_id
            order by
                evaluation_trials.recorded_at,
                evaluation_trials.source_run_id collate "C"
        ) as run_ids
    from wanted_results
    inner join evaluation_trials
        on
            wanted_results.experiment_id = evaluation_trials.experiment_id
            and wanted_results.result_id = evaluation_trials.result_id
    group by
        wanted_results.agent_name,
        wanted_results.experiment_group,
        wanted_results.extension_version,
        wanted_results.model_version,
        wanted_results.task_id
),

paired as (
    select
        regressions.agent_name,
        regressions.experiment_group,
        regressions.extension_version,
        regressions.model_version,
        regressions.metric,
        versions.task_id,
        regressions.previous_extension_version,
        regressions.fingerprint as comparison_fingerprint,
        previous_versions.mean_value as previous_value,
        versions.mean_value as value,
        versions.mean_value - previous_versions.mean_value as change,
        regressions.direction_sign
    from regressions
    inner join task_means as versions
        on {{ is_same_version('regressions', 'versions', ['metric']) }}
    inner join task_means as previous_versions
        on
            regressions.agent_name = previous_versions.agent_name
            and regressions.experiment_group
            = previous_versions.experiment_group
            and regressions.previous_extension_version
            = previous_versions.extension_version
            and regressions.model_version = previous_versions.model_version
            and regressions.metric = previous_versions.metric
            and versions.task_id = previous_versions.task_id
    where
        regressions.direction_sign
        * (versions.mean_value - previous_versions.mean_value)
        < -1e-12 * greatest(
            abs(versions.mean_value), abs(previous_versions.mean_value)
        )
),

traced as (
    select
        paired.agent_name,
        paired.experiment_group,
        paired.extension_version,
        paired.model_version,
        paired.metric,
        paired.task_id,
        paired.previous_extension_version,
        paired.comparison_fingerprint,
        previous_runs.run_ids as previous_run_ids,
        runs.run_ids,
        {{ function('to_double') }}(paired.previous_value) as previous_value,
        {{ function('to_double') }}(paired.value) as value,
        {{ function('to_double') }}(paired.change) as change
    from paired
    left join task_runs as runs
        on {{ is_same_version('paired', 'runs', ['task_id']) }}
    left join task_runs as previous_runs
        on
            paired.agent_name = previous_runs.agent_name
            and paired.experiment_group = previous_runs.experiment_group
            and paired.previous_extension_version
            = previous_runs.extension_version
            and paired.model_version = previous_runs.model_version
            and paired.task_id = previous_runs.task_id
)

select * from traced
