-- By which rule and which settings a verdict was reached, so that a replay can
-- tell a change of the rule from one of the scores; and whose tasks it is on.

alter table raw_evals.gate_decisions
-- null: by the rule of before 0.2, which had no number
add column rule_version integer,
-- sha256 of the vars and seeds that the rule goes by
add column settings_hash text,
-- null: all tasks of the experiment
add column agent_name text;
