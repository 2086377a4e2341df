select experiment_id
from evals.experiment_summaries
group by experiment_id
order by max(last_recorded_at) desc nulls last, experiment_id
limit 1000
