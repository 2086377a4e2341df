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
        to_jsonb(source_run_ids) as source_run_ids,
        withdrawn_at
    from source
)

select * from renamed
