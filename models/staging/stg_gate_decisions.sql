with

source as (
    select * from {{ source('raw_evals', 'gate_decisions') }}
),

renamed as (
    select
        decision_id,
        experiment_id,
        candidate_group,
        candidate_version,
        agent_name,
        policy_hash,
        verdict,
        loader_version,
        load_id,
        exit_code,
        rule_version,
        policy,
        reasons,
        decided_at
    from source
)

select * from renamed
