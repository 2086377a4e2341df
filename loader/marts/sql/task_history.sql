-- What was believed of a task's runs, and when: of the arms of an experiment.
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
    and (experiment_group, extension_version) in (
        select
            arms.experiment_group,
            arms.extension_version
        from
            unnest(%(groups)s::text[], %(versions)s::text[])
                as arms (experiment_group, extension_version)
    )
order by
    metric,
    experiment_group,
    extension_version,
    source_run_id,
    valid_from,
    author
limit %(most)s
