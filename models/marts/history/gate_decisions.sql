{# A table: the ledger grows by one row a look. #}

with

gate_decisions as (
    select * from {{ ref('stg_gate_decisions') }}
),

-- a look at the data as they were looked at before adds no chance of an alarm
first_looks as (
    select
        *,
        row_number() over (
            partition by
                experiment_id,
                candidate_group,
                candidate_version,
                agent_name,
                load_id
            order by decided_at, decision_id
        ) = 1 as is_new_state
    from gate_decisions
),

numbered as (
    select
        decision_id,
        experiment_id,
        candidate_group,
        candidate_version,
        agent_name,
        policy_hash,
        verdict,
        lag(verdict) over candidate_looks as previous_verdict,
        (row_number() over candidate_looks)::integer as look_number,
        (count(*) over candidate)::integer as looks,
        (
            count(*) filter (where is_new_state) over candidate_looks
        )::integer as state_number,
        (count(*) filter (where is_new_state) over candidate)::integer
            as states,
        exit_code,
        rule_version,
        load_id,
        coalesce((policy ->> 'peeking')::boolean, false) as is_peeking,
        reasons,
        decided_at
    from first_looks
    window
        candidate as (
            partition by
                experiment_id, candidate_group, candidate_version, agent_name
        ),
        candidate_looks as (
            partition by
                experiment_id, candidate_group, candidate_version, agent_name
            order by decided_at, decision_id
            rows unbounded preceding
        )
)

select * from numbered
