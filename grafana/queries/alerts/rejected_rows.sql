select
    coalesce(sum(rows_rejected), 0)::double precision as value
from evals.load_history
where $__timeFilter(finished_at)
