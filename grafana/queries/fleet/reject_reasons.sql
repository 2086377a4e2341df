select
    reasons.reason_code as "reason",
    sum(reasons.row_count::bigint)::bigint as "rows",
    count(*) as "loads",
    max(loads.finished_at) as "last seen"
from evals.load_history as loads
cross join lateral jsonb_each_text(loads.reject_reasons)
    as reasons (reason_code, row_count)
where $__timeFilter(loads.finished_at)
group by reasons.reason_code
order by 2 desc, reasons.reason_code
