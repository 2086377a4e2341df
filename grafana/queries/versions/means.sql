select
    agent_name as "agent",
    experiment_group as "group",
    extension_version as "version",
    previous_extension_version as "before",
    model_version as "model",
    sample_count as "results",
    avg_value as "mean",
    avg_value_low as "from",
    avg_value_high as "to",
    stddev_value as "standard deviation",
    min_value as "least",
    p50_value as "median",
    p95_value as "95th percentile",
    max_value as "most",
    last_recorded_at as "last result"
from evals.version_trends
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
    and metric = ${metric:sqlstring}
order by agent_name, experiment_group, version_rank desc, model_version
limit 500
