{#
    Reads single runs, so it is kept up like int_version_moments: a
    regression is looked into once, and again when its fingerprint changes.

    Steps have no statistics: the planner takes them for one row and would loop
    over it.
#}
{{
    config(
        materialized="incremental",
        unique_key=[
            "agent_name",
            "experiment_group",
            "extension_version",
            "model_version",
            "metric",
        ],
        post_hook="
            delete from {{ this }} as built
            where not exists (
                select
                from {{ ref('int_believed_regressions') }} as wanted
                where
                    {{ is_same_version('built', 'wanted', ['metric']) }}
                    and built.comparison_fingerprint = wanted.fingerprint
            )
        ",
    )
}}

with

believed_regressions as (
    select * from {{ ref('int_believed_regressions') }}
),

rollups as (
    select * from {{ ref('int_daily_rollups') }}
),

-- looked up by key, one by one: all tasks of all regressions are many
regressions as (
    select *
    from believed_regressions
    {% if is_incremental() %}
        where
            fingerprint is distinct from (
                select built.comparison_fingerprint
                from {{ this }} as built
                where
                    {{
                        is_same_version(
                            'built', 'believed_regressions', ['metric']
                        )
                    }}
                order by built.task_id
                limit 1
            )
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

numbered_versions as (
    select
        *,
        row_number() over () as version_number
    from wanted_versions
),

{{ version_tasks('numbered_versions') }},

evaluation_trials as (
    {{
        rows_of_experiments(
            ref('evaluation_trials'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

task_runs as (
    select
        wanted_results.version_number,
        wanted_results.task_number,
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
        wanted_results.version_number,
        wanted_results.task_number
),

numbered_regressions as materialized (
    select
        regressions.*,
        versions.version_number,
        previous_versions.version_number as previous_version_number
    from regressions
    inner join numbered_versions as versions
        on {{ is_same_version('regressions', 'versions') }}
    inner join numbered_versions as previous_versions
        on
            regressions.agent_name = previous_versions.agent_name
            and regressions.experiment_group
            = previous_versions.experiment_group
            and regressions.previous_extension_version
            = previous_versions.extension_version
            and regressions.model_version = previous_versions.model_version
),

-- materialized: by task alone, each version would meet every other
version_tasks as materialized (
    select
        numbered_regressions.*,
        task_means.task_id,
        task_means.task_number,
        task_means.mean_value
    from numbered_regressions
    inner join task_means
        on
            numbered_regressions.version_number = task_means.version_number
            and numbered_regressions.metric = task_means.metric
),

worse_tasks as materialized (
    select
        version_tasks.*,
        task_means.mean_value as previous_value,
        version_tasks.mean_value - task_means.mean_value as change
    from version_tasks
    inner join task_means
        on
            version_tasks.previous_version_number = task_means.version_number
            and version_tasks.metric = task_means.metric
            and version_tasks.task_number = task_means.task_number
    where
        version_tasks.direction_sign
        * (version_tasks.mean_value - task_means.mean_value)
        < -{{ rounding_noise() }}
        * greatest(abs(version_tasks.mean_value), abs(task_means.mean_value))
),

-- left joins keep their order: by task alone, as above
traced as (
    select
        worse_tasks.agent_name,
        worse_tasks.experiment_group,
        worse_tasks.extension_version,
        worse_tasks.model_version,
        worse_tasks.metric,
        worse_tasks.task_id,
        worse_tasks.previous_extension_version,
        worse_tasks.fingerprint as comparison_fingerprint,
        previous_runs.run_ids as previous_run_ids,
        runs.run_ids,
        {{ function('to_double') }}(worse_tasks.previous_value)
            as previous_value,
        {{ function('to_double') }}(worse_tasks.mean_value) as value,
        {{ function('to_double') }}(worse_tasks.change) as change
    from worse_tasks
    left join task_runs as runs
        on
            worse_tasks.version_number = runs.version_number
            and worse_tasks.task_number = runs.task_number
    left join task_runs as previous_runs
        on
            worse_tasks.previous_version_number = previous_runs.version_number
            and worse_tasks.task_number = previous_runs.task_number
)

select * from traced
