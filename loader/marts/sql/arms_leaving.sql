-- One row per arm and model of an experiment: what it is, and the mean of each score. The
-- task is the unit of `score`; `run_score` is the mean of all runs alike.
with trials as (
    select
        experiment_group,
        extension_version,
        model_version,
        count(*) as runs,
        count(distinct task_id) as tasks,
        array_agg(distinct source) as sources,
        min(recorded_at) as began_at,
        max(recorded_at) as ended_at,
        max(loaded_at) as loaded_at
    from {evaluation_trials}
    where experiment_id = %(experiment_id)s
    group by experiment_group, extension_version, model_version
),

task_scores as (
    select
        experiment_group,
        extension_version,
        model_version,
        metric,
        task_id,
        count(*) as runs,
        avg(value) as score,
        sum(value) as total,
        bool_and(value in (0, 1)) as is_binary
    from {run_scores}
    where
        experiment_id = %(experiment_id)s
        and kind = 'score'
        and value is not null
    group by
        experiment_group, extension_version, model_version, metric, task_id
),

directions as (
    select
        metric,
        max(direction) as direction
    from {experiment_metric_comparisons}
    where experiment_id = %(experiment_id)s
    group by metric
),

scores as (
    select
        task_scores.experiment_group,
        task_scores.extension_version,
        task_scores.model_version,
        task_scores.metric,
        coalesce(max(directions.direction), 'unknown') as direction,
        avg(task_scores.score order by task_scores.task_id) as score,
        sum(task_scores.total order by task_scores.task_id)
        / sum(task_scores.runs) as run_score,
        count(*) as tasks,
        sum(task_scores.runs)::bigint as runs,
        bool_and(task_scores.is_binary) as is_binary
    from task_scores
    left join directions on task_scores.metric = directions.metric
    group by
        task_scores.experiment_group,
        task_scores.extension_version,
        task_scores.model_version,
        task_scores.metric
),

listed as (
    select
        experiment_group,
        extension_version,
        model_version,
        jsonb_agg(
            jsonb_build_object(
                'metric', metric,
                'direction', direction,
                'score', score,
                'run_score', run_score,
                'tasks', tasks,
                'runs', runs,
                'is_binary', is_binary
            )
            order by metric
        ) as metrics
    from scores
    group by experiment_group, extension_version, model_version
)

select
    %(experiment_id)s::text as experiment_id,
    trials.*,
    coalesce(listed.metrics, '[]') as metrics
from trials
left join listed
    on
        trials.experiment_group = listed.experiment_group
        and trials.extension_version = listed.extension_version
        and trials.model_version = listed.model_version
order by
    trials.experiment_group, trials.extension_version, trials.model_version
