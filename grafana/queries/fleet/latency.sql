-- exact percentiles of all results of a version, drawn when it last ran
select
    last_recorded_at as time,
    agent_name || ' · ' || experiment_group || ' · ' || model_version
        as metric,
    p50_value as "median",
    p95_value as "95th percentile"
from evals.version_trends
where
    $__timeFilter(last_recorded_at)
    and metric = 'latency_ms'
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
order by time, agent_name, experiment_group, model_version
