with

named as (
    select distinct task_id
    from {evaluation_results}
    where
        experiment_id = any(%(experiments)s)
        and (
            task_id like any(%(patterns)s)
            or (%(marked)s and metadata @> '{{"critical": true}}')
        )
),

paired as (
    select
        pairs.task_id,
        pairs.experiment_id,
        pairs.baseline_experiment_id,
        pairs.candidate_result_id,
        pairs.baseline_result_id,
        pairs.is_quarantined
    from {evaluation_comparison_view} as pairs
    inner join named on pairs.task_id = named.task_id
    where
        pairs.experiment_id = %(experiment)s
        and pairs.candidate_group = %(group_name)s
        and pairs.candidate_version = %(version)s
)

select
    paired.task_id,
    baselines.repetitions as baseline_repetitions,
    baselines.failed_repetitions as baseline_failed_repetitions,
    baselines.said_repetitions as baseline_said_repetitions,
    baselines.successes as baseline_successes,
    baseline_scores.value as baseline_value,
    baseline_scores.repetitions as baseline_scored_repetitions,
    baseline_scores.failed_repetitions as baseline_scored_failed_repetitions,
    baseline_scores.passes as baseline_passes,
    baseline_scores.is_binary as baseline_is_binary,
    candidates.repetitions as candidate_repetitions,
    candidates.failed_repetitions as candidate_failed_repetitions,
    candidates.said_repetitions as candidate_said_repetitions,
    candidates.successes as candidate_successes,
    candidate_scores.value as candidate_value,
    candidate_scores.repetitions as candidate_scored_repetitions,
    candidate_scores.failed_repetitions as candidate_scored_failed_repetitions,
    candidate_scores.passes as candidate_passes,
    candidate_scores.is_binary as candidate_is_binary,
    paired.is_quarantined
from paired
left join {evaluation_results} as baselines
    on
        paired.baseline_experiment_id = baselines.experiment_id
        and paired.baseline_result_id = baselines.result_id
left join {evaluation_results} as candidates
    on
        paired.experiment_id = candidates.experiment_id
        and paired.candidate_result_id = candidates.result_id
left join {evaluation_scores} as baseline_scores
    on
        paired.baseline_experiment_id = baseline_scores.experiment_id
        and paired.baseline_result_id = baseline_scores.result_id
        and baseline_scores.metric = %(metric)s
left join {evaluation_scores} as candidate_scores
    on
        paired.experiment_id = candidate_scores.experiment_id
        and paired.candidate_result_id = candidate_scores.result_id
        and candidate_scores.metric = %(metric)s
where
    %(agent)s::text is null
    or coalesce(candidates.agent_name, baselines.agent_name) = %(agent)s
order by paired.task_id
