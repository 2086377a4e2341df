select
    coalesce(sum(rows_loaded), 0)::bigint as "loaded",
    coalesce(sum(rows_unchanged), 0)::bigint as "unchanged",
    coalesce(sum(rows_rejected), 0)::bigint as "rejected"
from evals.load_history
where $__timeFilter(finished_at)
