-- Annotations of a slice that a withdrawal would take out, by experiment.
select
    experiment_id,
    count(*) as annotation_count
from raw_evals.standing_annotations
where
    (%(load_id)s::bigint is null or load_id = %(load_id)s)
    and (%(annotation_id)s::bigint is null or annotation_id = %(annotation_id)s)
    and (%(experiment_id)s::text is null or experiment_id = %(experiment_id)s)
    and (%(experiment_group)s::text is null or experiment_group = %(experiment_group)s)
    and (%(extension_version)s::text is null or extension_version = %(extension_version)s)
    and (%(task_id)s::text is null or task_id = %(task_id)s)
group by experiment_id
order by experiment_id
