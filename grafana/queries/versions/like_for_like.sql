-- against the version before, on the tasks that both ran; the plain change of
-- the means is beside it, because other tasks may have moved it
select
    agent_name as "agent",
    experiment_group as "group",
    extension_version as "version",
    previous_extension_version as "before",
    model_version as "model",
    change,
    change_low as "from",
    change_high as "to",
    change_pct as "change %",
    change_p_value as "p",
    shared_task_count as "shared tasks",
    coalesce(change_method, change_undefined_reason) as "method",
    plain_change as "plain change",
    has_opposite_signs as "plain change misleads"
from evals.version_trends
where
    agent_name = any(array[${agent:sqlstring}]::text[])
    and experiment_group = any(array[${group:sqlstring}]::text[])
    and extension_version = any(array[${version:sqlstring}]::text[])
    and metric = ${metric:sqlstring}
    and previous_extension_version is not null
order by agent_name, experiment_group, version_rank desc, model_version
limit 500
