select
    agent_name || ' · ' || experiment_group || ' · ' || extension_version
        as "version",
    p50_value as "median",
    p95_value as "95th percentile"
from evals.version_trends
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
    and metric = ${metric:sqlstring}
order by agent_name, experiment_group, version_rank, model_version
limit 60
