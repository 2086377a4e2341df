with

source as (
    select * from {{ source('raw_evals', 'load_experiments') }}
),

renamed as (
    select
        load_id,
        experiment_id,
        baseline_experiment_id
    from source
)

select * from renamed
