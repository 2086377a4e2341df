-- one alert per open shift: its labels stay the same while it is open
select
    agent_name as agent,
    experiment_group as "group",
    model_version as model,
    metric,
    began_version as version,
    severity,
    count(*)::double precision as value
from evals.metric_alerts
where is_open
group by
    agent_name,
    experiment_group,
    model_version,
    metric,
    began_version,
    severity
