with

source as (
    select * from {{ source('raw_evals', 'rejected_rows') }}
),

renamed as (
    select
        load_id,
        origin,
        reason_code,
        reason,
        payload,
        row_number,
        payload_bytes
    from source
)

select * from renamed
