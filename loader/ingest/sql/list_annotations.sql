-- One row per statement that was not withdrawn, the latest first.
select
    annotation_id as annotation,
    experiment_id,
    task_id,
    count(*) as run_count,
    evaluator_key,
    min(score) as score,
    author,
    reason,
    min(annotated_at) as annotated_at
from raw_evals.standing_annotations
where %(experiment_id)s::text is null or experiment_id = %(experiment_id)s
group by annotation_id, experiment_id, task_id, evaluator_key, author, reason
order by annotation_id desc
