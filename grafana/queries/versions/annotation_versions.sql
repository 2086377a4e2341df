select
    min(first_recorded_at) as time,
    'version ' || extension_version as text
from evals.version_trends
where
    $__timeFilter(first_recorded_at)
    and agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
group by extension_version
order by time
