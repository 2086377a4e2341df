select tasks.*
from {regression_tasks} as tasks
inner join {version_regressions} as regressions
    on
        tasks.agent_name = regressions.agent_name
        and tasks.experiment_group = regressions.experiment_group
        and tasks.extension_version = regressions.extension_version
        and tasks.model_version = regressions.model_version
        and tasks.metric = regressions.metric
where
    (%(agent)s::text is null or tasks.agent_name = %(agent)s)
    and (
        %(since)s::timestamptz is null
        or regressions.first_recorded_at >= %(since)s
    )
order by
    regressions.first_recorded_at desc,
    tasks.agent_name asc,
    tasks.metric asc,
    abs(tasks.change) desc,
    tasks.task_id asc
