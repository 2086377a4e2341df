-- those whose arms both have tasks
select experiment_id
from evals.experiment_summaries
where
    total_tasks + baseline_only_tasks > 0
    and total_tasks + candidate_only_tasks > 0
group by experiment_id
order by max(last_recorded_at) desc nulls last, experiment_id
limit 1000
