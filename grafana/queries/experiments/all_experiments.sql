-- those whose arms both have tasks, a row per candidate
select
    experiment_id as "experiment",
    candidate_group as "group",
    candidate_version as "version",
    agent_name as "agent",
    recommendation as "verdict",
    headline as "in one sentence",
    total_tasks as "tasks",
    candidate_wins as "won",
    baseline_wins as "lost",
    last_recorded_at as "last run"
from evals.experiment_summaries
where
    total_tasks + baseline_only_tasks > 0
    and total_tasks + candidate_only_tasks > 0
order by
    last_recorded_at desc nulls last,
    experiment_id,
    candidate_group,
    candidate_version
limit 200
