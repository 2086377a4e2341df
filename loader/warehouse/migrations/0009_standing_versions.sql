-- What was withdrawn is not there, for whoever asks what there is. Of the
-- columns only what is asked for: a view keeps those it names from changing.

create view raw_evals.standing_versions as
select
    runs.experiment_id,
    runs.source,
    runs.source_run_id,
    runs.run_version,
    runs.load_id,
    runs.task_id,
    runs.experiment_group,
    runs.extension_version,
    runs.scores,
    runs.score_scales
from raw_evals.evaluation_runs as runs
where
    -- most experiments have no withdrawal, and their versions are not looked up
    runs.experiment_id not in (select experiment_id from raw_evals.withdrawals)
    or not exists (
        select from raw_evals.withdrawn_versions as withdrawn
        where
            withdrawn.experiment_id = runs.experiment_id
            and withdrawn.source = runs.source
            and withdrawn.source_run_id = runs.source_run_id
            and withdrawn.run_version = runs.run_version
    );

comment on view raw_evals.standing_versions is
'One row per version of a run that was not withdrawn.';
