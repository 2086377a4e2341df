with

source as (
    select * from {{ source('raw_evals', 'score_configs') }}
),

renamed as (
    select
        experiment_id,
        evaluator_key,
        kind,
        direction,
        scale_min,
        scale_max,
        load_id,
        categories
    from source
)

select * from renamed
