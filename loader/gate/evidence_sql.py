"""The statements of `gate_evidence`: over marts and their functions, whose names are filled in."""

from __future__ import annotations

from typing import Final

RESULTS: Final = """
results as (
    select
        result_id, task_id, repetitions, failed_repetitions, said_repetitions, success_rate,
        pass_hat_k, pass_at_k, metadata ->> 'cluster_id' as cluster_id
    from {results}
    where
        experiment_id = %(experiment)s
        and experiment_group = %(group)s
        and extension_version = %(version)s
        and (%(agent)s::text is null or agent_name = %(agent)s)
),
"""
LEVELS: Final = """
with

asked as (
    select * from unnest(%(names)s::text[], %(directions)s::text[]) as asked (metric, direction)
),

{with_results}

scores as (
    select result_id, metric, kind, value, repetitions
    from {scores}
    where
        experiment_id = %(experiment)s
        and experiment_group = %(group)s
        and extension_version = %(version)s
        and metric = any(%(names)s)
),

-- tasks on which some arm of the experiment has the metric
scored_tasks as (
    select distinct metric, task_id
    from {scores}
    where experiment_id = %(experiment)s and metric = any(%(names)s)
),

task_values as (
    select
        asked.metric,
        results.task_id,
        results.cluster_id,
        scores.kind,
        scores.value,
        -- a run without the score counts as the worst end of the scale
        case
            when scores.kind is not null and scores.kind <> 'score' then scores.value
            else
                (
                    coalesce(scores.value * scores.repetitions, 0)
                    + case when asked.direction = 'lower' then 1 else 0 end
                    * (
                        greatest(results.repetitions, %(planned)s)
                        - coalesce(scores.repetitions, 0)
                    )
                ) / greatest(results.repetitions, %(planned)s)
        end as worst_value
    from asked
    cross join results
    left join scores using (metric, result_id)
    left join scored_tasks using (metric, task_id)
    where
        asked.metric <> all(%(pseudo)s)
        and (
            scores.value is not null
            or scored_tasks.task_id is not null
            or results.failed_repetitions > 0
        )
    union all
    select
        'success', task_id, cluster_id, 'success', success_rate, success_rate
    from results
    where 'success' = any(%(names)s) and said_repetitions > 0
    union all
    select 'pass_hat_k', task_id, cluster_id, 'reliability', pass_hat_k, pass_hat_k
    from results
    where 'pass_hat_k' = any(%(names)s) and pass_hat_k is not null
    union all
    select 'pass_at_k', task_id, cluster_id, 'reliability', pass_at_k, pass_at_k
    from results
    where 'pass_at_k' = any(%(names)s) and pass_at_k is not null
),

-- a measurement that a run lacks is unknown, not bad
kinds as (
    select metric, max(kind) as kind
    from task_values
    group by metric
),

readings as (
    select metric, task_id, cluster_id, 'recorded' as reading, value
    from task_values
    union all
    select task_values.metric, task_values.task_id, task_values.cluster_id, 'worst', worst_value
    from task_values
    inner join kinds using (metric)
    where kinds.kind = 'score'
),

clusters as (
    select
        metric,
        reading,
        coalesce('c' || cluster_id, 't' || task_id) as cluster,
        count(*)::float8 as size
    from readings
    where value is not null
    group by 1, 2, 3
),

-- tasks of one cluster are no independent evidence: n^2 / sum of n_g^2
sizes as (
    select metric, reading, sum(size) ^ 2 / sum(size ^ 2) as effective
    from clusters
    group by metric, reading
),

moments as (
    select
        metric,
        reading,
        count(value) as n_tasks,
        avg(value) as mean,
        stddev_samp(value) as stddev,
        min(value) >= 0 and max(value) <= 1 as is_share
    from readings
    group by metric, reading
),

bounded as (
    select
        moments.metric,
        moments.reading,
        moments.n_tasks,
        moments.mean,
        case
            when %(peeking)s then moments.mean - {halfwidth}
            when kinds.kind in ('score', 'success', 'reliability') and moments.is_share
                then {functions}.clopper_pearson_lower(
                    least(moments.mean, 1) * sizes.effective, sizes.effective, %(alpha)s
                )
            when moments.stddev > 0 then moments.mean - {student}
        end as low,
        case
            when %(peeking)s then moments.mean + {halfwidth}
            when kinds.kind in ('score', 'success', 'reliability') and moments.is_share
                then {functions}.clopper_pearson_upper(
                    least(moments.mean, 1) * sizes.effective, sizes.effective, %(alpha)s
                )
            when moments.stddev > 0 then moments.mean + {student}
        end as high
    from moments
    inner join sizes using (metric, reading)
    inner join kinds using (metric)
)

select
    metric,
    max(n_tasks) filter (where reading = 'recorded') as n_tasks,
    max(mean) filter (where reading = 'recorded') as mean,
    -- unknown in one reading is unknown
    case when bool_and(low is not null) then min(low) end as low,
    case when bool_and(high is not null) then max(high) end as high,
    max(kinds.kind) as kind
from bounded
inner join kinds using (metric)
group by metric
"""
STUDENT: Final = (
    "{functions}.student_t_ppf(1 - %(alpha)s::float8 / 2, nullif(sizes.effective - 1, 0))"
    " * moments.stddev / sqrt(sizes.effective)"
)
HALFWIDTH: Final = (
    "{functions}.confidence_sequence_halfwidth("
    "nullif(moments.stddev, 0), sizes.effective, %(alpha)s, %(planned_tasks)s)"
)
TASKS: Final = """
with

named as (
    select distinct task_id
    from {results}
    where
        experiment_id = any(%(experiments)s)
        and (
            task_id like any(%(patterns)s)
            or (%(marked)s and metadata @> '{{"critical": true}}')
        )
),

paired as (
    select
        pairs.task_id, pairs.experiment_id, pairs.baseline_experiment_id,
        pairs.candidate_result_id, pairs.baseline_result_id
    from {pairs} as pairs
    inner join named using (task_id)
    where
        pairs.experiment_id = %(experiment)s
        and pairs.candidate_group = %(group)s
        and pairs.candidate_version = %(version)s
)

select
    paired.task_id,
    baselines.repetitions,
    baselines.failed_repetitions,
    baselines.said_repetitions,
    baselines.successes,
    baseline_scores.value,
    baseline_scores.repetitions,
    baseline_scores.failed_repetitions,
    baseline_scores.passes,
    baseline_scores.is_binary,
    candidates.repetitions,
    candidates.failed_repetitions,
    candidates.said_repetitions,
    candidates.successes,
    candidate_scores.value,
    candidate_scores.repetitions,
    candidate_scores.failed_repetitions,
    candidate_scores.passes,
    candidate_scores.is_binary
from paired
left join {results} as baselines
    on
        paired.baseline_experiment_id = baselines.experiment_id
        and paired.baseline_result_id = baselines.result_id
left join {results} as candidates
    on
        paired.experiment_id = candidates.experiment_id
        and paired.candidate_result_id = candidates.result_id
left join {scores} as baseline_scores
    on
        paired.baseline_experiment_id = baseline_scores.experiment_id
        and paired.baseline_result_id = baseline_scores.result_id
        and baseline_scores.metric = %(metric)s
left join {scores} as candidate_scores
    on
        paired.experiment_id = candidate_scores.experiment_id
        and paired.candidate_result_id = candidate_scores.result_id
        and candidate_scores.metric = %(metric)s
where
    %(agent)s::text is null
    or coalesce(candidates.agent_name, baselines.agent_name) = %(agent)s
order by paired.task_id
"""
PARTS: Final = """
select to_jsonb(part)
from {parts} as part
where
    part.experiment_id = %(experiment)s
    and part.candidate_group = %(group)s
    and part.candidate_version = %(version)s
    and part.is_proven_worse
    and part.segment_kind = any(%(kinds)s)
order by part.segment_kind, part.p_worse_bh, part.segment
"""
ARMS: Final = """
select
    sides.arm,
    coalesce(sum(least(results.repetitions, %(planned)s)), 0)::bigint,
    count(*)
from {pairs} as pairs
cross join lateral (
    values
        ('baseline', pairs.baseline_experiment_id, pairs.baseline_result_id),
        ('candidate', pairs.experiment_id, pairs.candidate_result_id)
) as sides (arm, experiment_id, result_id)
inner join {results} as results
    on sides.experiment_id = results.experiment_id and sides.result_id = results.result_id
where
    pairs.experiment_id = %(experiment)s
    and pairs.candidate_group = %(group)s
    and pairs.candidate_version = %(version)s
    and (%(agent)s::text is null or results.agent_name = %(agent)s)
group by sides.arm
order by sides.arm
"""
EXAMPLES: Final = """
select
    (array_agg(task_id order by task_id) filter (where candidate_result_id is null))[:3],
    (array_agg(task_id order by task_id) filter (where baseline_result_id is null))[:3]
from {pairs}
where
    experiment_id = %(experiment)s
    and candidate_group = %(group)s
    and candidate_version = %(version)s
"""
