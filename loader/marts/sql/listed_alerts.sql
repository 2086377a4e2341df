-- Every fall in level of an agent's metric.
select
    agent_name,
    metric,
    experiment_group,
    model_version,
    began_version,
    found_version,
    coalesce(ended_version, '') as ended_version,
    cause,
    severity,
    end_reason,
    shared_task_count,
    level_before,
    level_found,
    change_pct,
    is_open,
    began_at,
    found_at,
    ended_at
from {metric_alerts}
where
    (%(agent)s::text is null or agent_name = %(agent)s)
    and (
        %(state)s::text is null
        or (%(state)s = 'open') = is_open
    )
    and (
        %(search)s::text is null
        or agent_name ilike %(search)s
        or metric ilike %(search)s
        or found_version ilike %(search)s
    )
