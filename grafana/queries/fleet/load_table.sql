select
    load_id as "load",
    finished_at as "when",
    source,
    experiment_id as "experiment",
    rows_read as "read",
    rows_loaded as "loaded",
    rows_unchanged as "unchanged",
    rows_rejected as "rejected",
    top_reject_reason_code as "first reason",
    extract(epoch from finished_at - started_at) as "seconds"
from evals.load_history
where $__timeFilter(finished_at)
order by load_id desc
limit 100
