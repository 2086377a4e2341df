select
    found_at as time,
    metric || ' got worse in ' || began_version || ': ' || cause as text,
    severity || ',' || agent_name || ',' || experiment_group as tags
from evals.metric_alerts
where
    $__timeFilter(found_at)
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and metric = ${metric:sqlstring}
order by time
