-- The runs of a task in some results: what was given, answered and scored.
select
    trials.result_id,
    trials.experiment_id,
    trials.experiment_group,
    trials.extension_version,
    trials.source,
    trials.source_run_id,
    trials.trial_number,
    trials.run_version,
    trials.model_version,
    trials.agent_name,
    trials.dataset_version,
    trials.error_message,
    trials.latency_ms,
    trials.tokens_used,
    trials.cost_usd,
    trials.success,
    trials.scores,
    trials.measurements,
    trials.labels,
    trials.comments,
    trials.evaluator_versions,
    trials.recorded_at,
    coalesce(
        trials.trace_url,
        trials.metadata #>> '{{langsmith,url}}',
        trials.metadata ->> 'run_url',
        trials.metadata ->> 'url'
    ) as trace_url
from {evaluation_trials} as trials
where
    trials.experiment_id = any(%(experiments)s)
    and trials.result_id = any(%(results)s)
order by trials.result_id, trials.trial_number
limit %(most)s
