select
    coalesce(
        extract(epoch from now() - max(finished_at)) / 3600, 1e6
    )::double precision as value
from evals.load_history
where rows_loaded > 0
