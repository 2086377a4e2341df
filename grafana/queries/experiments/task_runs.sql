select
    results.experiment_group as "group",
    results.extension_version as "version",
    trials.trial_number as "run",
    trials.recorded_at as "when",
    case trials.success
        when true then 'yes' when false then 'no' else 'unknown'
    end as "finished",
    trials.scores::text as "scores",
    trials.latency_ms as "latency",
    trials.tokens_used as "tokens",
    trials.cost_usd as "cost",
    trials.error_message as "error",
    trials.model_version as "model"
from evals.evaluation_comparison_view as comparisons
cross join lateral (
    values
        (comparisons.baseline_experiment_id, comparisons.baseline_result_id),
        (comparisons.experiment_id, comparisons.candidate_result_id)
) as arms (experiment_id, result_id)
inner join evals.evaluation_results as results
    on
        arms.experiment_id = results.experiment_id
        and arms.result_id = results.result_id
inner join evals.evaluation_trials as trials
    on
        results.experiment_id = trials.experiment_id
        and results.result_id = trials.result_id
where
    comparisons.experiment_id = ${experiment:sqlstring}
    and comparisons.candidate_group = ${group:sqlstring}
    and comparisons.candidate_version = ${version:sqlstring}
    and comparisons.task_id = ${task:sqlstring}
order by
    results.experiment_group, results.extension_version, trials.trial_number
