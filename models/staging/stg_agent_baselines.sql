with

source as (
    select * from {{ source('raw_evals', 'agent_baselines') }}
),

renamed as (
    select
        agent_name,
        experiment_id as baseline_experiment_id,
        author,
        load_id,
        set_at
    from source
)

select * from renamed
