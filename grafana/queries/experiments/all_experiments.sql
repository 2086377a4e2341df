select
    experiment_id as "experiment",
    candidate_group as "group",
    candidate_version as "version",
    recommendation,
    total_tasks as "tasks",
    candidate_wins as "won",
    baseline_wins as "lost",
    headline as "in one sentence",
    last_recorded_at as "last run"
from evals.experiment_summaries
order by last_recorded_at desc nulls last, experiment_id
limit 200
