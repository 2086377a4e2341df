-- What was believed of a task's runs, and when: of one arm.
select
    metric,
    experiment_group,
    extension_version,
    source_run_id,
    value_source,
    author,
    reason,
    value,
    is_current,
    load_id,
    valid_from,
    valid_to
from {score_history}
where
    experiment_id = %(experiment)s
    and task_id = %(task)s
    and experiment_group = %(group_name)s
    and extension_version = %(version)s
order by
    metric,
    experiment_group,
    extension_version,
    source_run_id,
    valid_from,
    author
limit %(most)s
