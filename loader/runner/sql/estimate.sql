with

latest as (
    select distinct on (runs.experiment_id, runs.source, runs.source_run_id)
        runs.task_id,
        runs.experiment_group = %(candidate_group)s as is_candidate,
        runs.scores
    from raw_evals.evaluation_runs as runs
    where
        (
            runs.experiment_id = %(experiment_id)s
            and runs.experiment_group = %(candidate_group)s
            and runs.extension_version = %(candidate_version)s
        )
        or (
            runs.experiment_id = %(baseline_experiment_id)s
            and runs.experiment_group = %(baseline_group)s
        )
    order by runs.experiment_id asc, runs.source asc, runs.source_run_id asc, runs.run_version desc
),

trial_values as (
    select
        latest.task_id,
        latest.is_candidate,
        coalesce(scales.metric, score.key) as metric,
        (score.value::text::float8 - coalesce(scales.low, 0))
        / (coalesce(scales.high, 1) - coalesce(scales.low, 0)) as value
    from latest
    cross join lateral jsonb_each(latest.scores) as score
    left join
        unnest(
            %(keys)s::text[], %(metrics)s::text[], %(lows)s::float8[], %(highs)s::float8[]
        ) as scales (key, metric, low, high)
        on score.key = scales.key
    where jsonb_typeof(score.value) = 'number'
),

task_means as (
    select
        task_id,
        metric,
        avg(value) filter (where is_candidate) as candidate,
        avg(value) filter (where not is_candidate) as baseline
    from trial_values
    group by task_id, metric
),

moments as (
    select
        metric,
        count(*)::float8 as pairs,
        avg(candidate - baseline) as mean_difference,
        stddev_samp(candidate - baseline) as stddev_difference
    from task_means
    where candidate is not null and baseline is not null
    group by metric
)

select
    metric,
    pairs::bigint,
    mean_difference,
    {functions}.confidence_sequence_halfwidth(
        stddev_difference, pairs, %(alpha)s::float8, %(planned_tasks)s::float8
    ) as halfwidth
from moments
order by metric != %(primary_metric)s, metric
