-- one point a version, drawn when it first ran; the band is the 95 % interval
-- of the mean, for results taken as independent
select
    first_recorded_at as time,
    agent_name || ' · ' || experiment_group || ' · ' || model_version
        as metric,
    avg_value as "mean",
    avg_value - 1.96 * stddev_value / sqrt(sample_count) as "from",
    avg_value + 1.96 * stddev_value / sqrt(sample_count) as "to"
from evals.version_trends
where
    $__timeFilter(first_recorded_at)
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
    and metric = ${metric:sqlstring}
order by time, agent_name, experiment_group, model_version
