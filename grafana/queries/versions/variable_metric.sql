-- scores first, as the other dashboards show them
select metric
from evals.version_trends
where agent_name = any(array[${agent:sqlstring}]::text[])
group by metric
order by min(kind) = 'score' desc, metric
