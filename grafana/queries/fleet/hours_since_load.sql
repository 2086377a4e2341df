select extract(epoch from now() - max(finished_at)) / 3600 as "hours"
from evals.load_history
where rows_loaded > 0
