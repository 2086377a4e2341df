{%- set parts = ['experiment_group', 'extension_version'] -%}
with

arm_plans as (
    select * from {{ ref('stg_arm_plans') }}
),

-- the latest plan of an arm among the loads that the build covers
latest_plans as (
    select distinct on (experiment_id, experiment_group, extension_version)
        experiment_id,
        experiment_group,
        extension_version,
        load_id,
        planned_repetitions,
        planned_tasks
    from arm_plans
    where
        {{ is_in_build('load_id') }}
        and {{ is_standing('arm_plans', parts) }}
    order by
        experiment_id asc,
        experiment_group asc,
        extension_version asc,
        load_id desc
)

select * from latest_plans
