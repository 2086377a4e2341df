-- Runs that a judge scored, of tasks that nobody labelled in both arms.
with

arms as (
    select
        pairs.task_id,
        sides.arm,
        sides.experiment_id,
        sides.result_id
    from {evaluation_comparison_view} as pairs
    cross join
        lateral (
            values
            ('baseline', pairs.baseline_experiment_id, pairs.baseline_result_id),
            ('candidate', pairs.experiment_id, pairs.candidate_result_id)
        ) as sides (arm, experiment_id, result_id)
    where
        pairs.experiment_id = %(experiment)s
        and pairs.candidate_group = %(group_name)s
        and pairs.candidate_version = %(version)s
        and pairs.baseline_result_id is not null
        and pairs.candidate_result_id is not null
),

scored as (
    select
        arms.task_id,
        arms.arm,
        scores.experiment_id,
        scores.source,
        scores.source_run_id,
        scores.judge_value,
        bool_or(scores.annotators > 0) over (
            partition by arms.task_id, arms.arm
        ) as has_label
    from {run_scores} as scores
    inner join arms
        on
            scores.experiment_id = arms.experiment_id
            and scores.result_id = arms.result_id
    where
        scores.experiment_id = any(%(experiments)s)
        and scores.metric = %(metric)s
        and scores.judge_value is not null
),

labelled_tasks as (
    select task_id
    from scored
    where has_label
    group by task_id
    having count(distinct arm) = 2
)

select
    scored.task_id,
    scored.arm,
    scored.experiment_id,
    scored.source,
    scored.source_run_id,
    coalesce(
        (
            select given.evaluator_key
            from unnest(%(keys)s::text[]) as given (evaluator_key)
            where jsonb_exists(trials.scores, given.evaluator_key)
            order by given.evaluator_key != %(metric)s, given.evaluator_key
            limit 1
        ),
        %(metric)s
    ) as evaluator_key,
    trials.metadata ->> 'category' as category,
    scored.judge_value,
    contents.inputs::text as inputs,
    contents.outputs::text as outputs,
    contents.reference_outputs::text as reference_outputs
from scored
inner join {evaluation_trials} as trials
    on
        scored.experiment_id = trials.experiment_id
        and scored.source = trials.source
        and scored.source_run_id = trials.source_run_id
left join {run_contents} as contents
    on
        scored.experiment_id = contents.experiment_id
        and scored.source = contents.source
        and scored.source_run_id = contents.source_run_id
left join labelled_tasks
    on scored.task_id = labelled_tasks.task_id
where labelled_tasks.task_id is null
order by scored.task_id, scored.arm, scored.source, scored.source_run_id
