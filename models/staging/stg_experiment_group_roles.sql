with

source as (
    select * from {{ source('raw_evals', 'experiment_group_roles') }}
),

renamed as (
    select
        experiment_id,
        experiment_group,
        role,
        load_id
    from source
)

select * from renamed
