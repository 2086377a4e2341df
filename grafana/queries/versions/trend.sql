-- one point a version, drawn when it first ran, with the interval of the mean
select
    first_recorded_at as time,
    agent_name || ' · ' || experiment_group || ' · ' || model_version
        as metric,
    avg_value as "mean",
    avg_value_low as "from",
    avg_value_high as "to"
from evals.version_trends
where
    $__timeFilter(first_recorded_at)
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
    and metric = ${metric:sqlstring}
order by time, agent_name, experiment_group, model_version
