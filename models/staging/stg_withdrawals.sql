with

source as (
    select * from {{ source('raw_evals', 'withdrawals') }}
),

renamed as (
    select
        load_id,
        experiment_id,
        experiment_group,
        extension_version,
        task_id,
        author,
        reason,
        undone_load_id,
        withdrawn_load_id,
        annotation_id,
        withdrawn_at
    from source
)

select * from renamed
