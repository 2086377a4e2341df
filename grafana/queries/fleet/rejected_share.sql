select
    100 * sum(rows_rejected)::double precision
    / nullif(sum(rows_read), 0) as "rejected %"
from evals.load_history
where $__timeFilter(finished_at)
