select
    total_tasks as "tasks of both arms",
    candidate_wins as "won",
    baseline_wins as "lost",
    ties as "tied",
    undecided_tasks as "undecided"
from evals.experiment_summaries
where
    experiment_id = ${experiment:sqlstring}
    and candidate_group = ${group:sqlstring}
    and candidate_version = ${version:sqlstring}
