with

source as (
    select * from {{ source('raw_evals', 'contents') }}
),

renamed as (
    select
        content_id,
        content as body,
        load_id,
        kept_at
    from source
)

select * from renamed
