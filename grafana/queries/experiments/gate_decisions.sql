select
    decided_at as "when",
    verdict,
    look_number as "look",
    state_number as "state of the data",
    policy_hash as "policy",
    exit_code as "exit code"
from evals.gate_decisions
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
order by decided_at desc
limit 100
