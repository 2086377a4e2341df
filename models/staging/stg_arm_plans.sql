with

source as (
    select * from {{ source('raw_evals', 'arm_plans') }}
),

renamed as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        load_id,
        planned_repetitions,
        planned_tasks
    from source
)

select * from renamed
