-- Every load: what was read, and what became of it.
select
    load_id,
    load_id::text as load,
    coalesce(experiment_id, '') as experiment_id,
    source,
    loader_version,
    top_reject_reason_code,
    rows_read,
    rows_loaded,
    rows_unchanged,
    rows_rejected,
    rejects_left_out,
    values_set_aside,
    started_at,
    finished_at
from {load_history}
where
    (
        %(search)s::text is null
        or experiment_id ilike %(search)s
        or source ilike %(search)s
    )
    and (%(show)s::text is null or rows_rejected > 0)
