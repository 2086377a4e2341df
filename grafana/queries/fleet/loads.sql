select
    $__timeGroup(finished_at, '$__interval') as time,
    sum(rows_loaded)::double precision as "loaded",
    sum(rows_unchanged)::double precision as "unchanged",
    sum(rows_rejected)::double precision as "rejected"
from evals.load_history
where $__timeFilter(finished_at)
group by 1
order by time
