-- One row per run of an arm with one model: what was recorded, what is kept of its texts, and
-- the scores that count, each from 0 to 1.
with counted as (
    select
        source,
        source_run_id,
        jsonb_object_agg(metric, value) as counted_scores
    from {run_scores}
    where
        experiment_id = %(experiment_id)s
        and experiment_group = %(experiment_group)s
        and extension_version = %(extension_version)s
        and model_version = %(model_version)s
        and kind = 'score'
        and value is not null
    group by source, source_run_id
)

select
    trials.*,
    coalesce(counted.counted_scores, jsonb_build_object()) as counted_scores,
    contents.inputs,
    contents.outputs,
    contents.reference_outputs,
    trials.recorded_at != trials.first_loaded_at as is_time_recorded
from {evaluation_trials} as trials
left join counted
    on
        trials.source = counted.source
        and trials.source_run_id = counted.source_run_id
left join {run_contents} as contents
    on
        trials.experiment_id = contents.experiment_id
        and trials.source = contents.source
        and trials.source_run_id = contents.source_run_id
where
    trials.experiment_id = %(experiment_id)s
    and trials.experiment_group = %(experiment_group)s
    and trials.extension_version = %(extension_version)s
    and trials.model_version = %(model_version)s
order by trials.task_id, trials.trial_number, trials.source, trials.source_run_id
