-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `controls` and `arms` to `version_controls`,
    `latest_controls` and `control_tasks`: what a candidate could be met by.
#}
{% macro arm_controls() -%}
control_versions as (
    select
        experiment_id,
        extension_version,
        {{
            version_sort_key_among(
                function('version_sort_key') ~ '(extension_version)',
                'extension_version',
                'experiment_id',
            )
        }} as version_sort_key,
        min(recorded_at) as first_seen_at
    from controls
    group by experiment_id, extension_version
),

anchored_versions as (
    select
        *,
        {{ version_anchor('experiment_id') }} as version_anchor
    from control_versions
),

ordered_versions as (
    select
        experiment_id,
        extension_version,
        row_number() over (
            partition by experiment_id
            order by {{ version_order() }}
        ) as version_position
    from anchored_versions
),

-- one control a task and version, should there be several control groups
version_controls as (
    select distinct on (
        controls.experiment_id,
        controls.task_id,
        controls.extension_version
    )
        controls.*,
        ordered_versions.version_position
    from controls
    inner join ordered_versions
        on
            controls.experiment_id = ordered_versions.experiment_id
            and controls.extension_version = ordered_versions.extension_version
    order by
        controls.experiment_id,
        controls.task_id,
        controls.extension_version,
        controls.experiment_group collate "C"
),

latest_controls as (
    select distinct on (experiment_id, task_id) *
    from version_controls
    order by
        experiment_id asc,
        task_id asc,
        version_position desc
),

-- tasks that the control could be met on: those of the candidate's version
-- where the control ran it, else all its tasks
control_tasks as (
    select
        arms.experiment_id,
        version_controls.task_id,
        arms.candidate_group,
        arms.candidate_version,
        arms.control_experiment_id
    from arms
    left join ordered_versions as same_versions
        on
            arms.control_experiment_id = same_versions.experiment_id
            and arms.candidate_version = same_versions.extension_version
    inner join version_controls
        on
            arms.control_experiment_id = version_controls.experiment_id
            and coalesce(
                same_versions.extension_version,
                version_controls.extension_version
            ) = version_controls.extension_version
)
{%- endmacro %}
