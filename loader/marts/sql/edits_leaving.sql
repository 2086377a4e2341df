-- One row per score that a person gave a run, in the order in which they were given, with the
-- files of the run's load, and whether the run's own log said it already.
select
    said.source,
    trials.task_id,
    trials.repetition,
    trials.source_run_id,
    trials.scores,
    loads.source_ref -> 'files' as logs,
    said.evaluator_key,
    said.author,
    said.reason,
    said.score,
    said.annotated_at,
    said.reason like '%%edited in Inspect%%' as is_of_log
from raw_evals.standing_annotations as said
inner join {evaluation_trials} as trials
    on
        said.experiment_id = trials.experiment_id
        and said.source = trials.source
        and said.source_run_id = trials.source_run_id
left join raw_evals.loads as loads
    on trials.load_id = loads.load_id
where said.experiment_id = %(experiment_id)s
order by said.annotation_id, trials.task_id, trials.trial_number
