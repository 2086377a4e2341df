-- Every verdict that was asked for.
select
    decision_id::text as decision_id,
    experiment_id,
    candidate_group,
    candidate_version,
    agent_name,
    verdict,
    previous_verdict,
    look_number,
    looks,
    state_number,
    states,
    exit_code,
    rule_version,
    load_id,
    policy_hash,
    reasons,
    is_peeking,
    decided_at
from {gate_decisions}
where
    (%(verdict)s::text is null or verdict = %(verdict)s)
    and (%(experiment)s::text is null or experiment_id = %(experiment)s)
    and (
        %(search)s::text is null
        or experiment_id ilike %(search)s
        or candidate_version ilike %(search)s
    )
