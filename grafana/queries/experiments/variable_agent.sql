select distinct coalesce(agent_name, 'unknown')
from evals.evaluation_comparison_view
where experiment_id = ${experiment:sqlstring}
order by 1
