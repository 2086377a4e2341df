-- A withdrawal may name single runs: what a service that a load read no longer
-- has of an experiment. Every view that reads withdrawals is made anew.

alter table raw_evals.withdrawals
-- null is any run; a plan, a role and the like have none, and are not covered
-- by a withdrawal that names some
add column source_run_ids text[];

create or replace view raw_evals.withdrawals_in_force as
select withdrawals.*
from raw_evals.withdrawals
left join raw_evals.withdrawals as undone
    on
        withdrawals.experiment_id = undone.experiment_id
        and withdrawals.load_id = undone.undone_load_id
where
    withdrawals.undone_load_id is null
    and undone.load_id is null;

create or replace view raw_evals.withdrawn_versions as
select
    withdrawals.load_id as withdrawal_load_id,
    runs.experiment_id,
    runs.source,
    runs.source_run_id,
    runs.run_version
from raw_evals.withdrawals_in_force as withdrawals
inner join raw_evals.evaluation_runs as runs
    on
        withdrawals.experiment_id = runs.experiment_id
        and withdrawals.load_id > runs.load_id
where
    withdrawals.annotation_id is null
    and coalesce(withdrawals.withdrawn_load_id, runs.load_id) = runs.load_id
    and coalesce(withdrawals.experiment_group, runs.experiment_group)
    = runs.experiment_group
    and coalesce(withdrawals.extension_version, runs.extension_version)
    = runs.extension_version
    and coalesce(withdrawals.task_id, runs.task_id) = runs.task_id
    and (
        withdrawals.source_run_ids is null
        or runs.source_run_id = any(withdrawals.source_run_ids)
    );

create or replace view raw_evals.standing_annotations as
select annotations.*
from raw_evals.annotations
where
    not exists (
        select from raw_evals.withdrawals_in_force as withdrawals
        where
            withdrawals.experiment_id = annotations.experiment_id
            and withdrawals.load_id > annotations.load_id
            and coalesce(withdrawals.withdrawn_load_id, annotations.load_id)
            = annotations.load_id
            and coalesce(withdrawals.annotation_id, annotations.annotation_id)
            = annotations.annotation_id
            and coalesce(
                withdrawals.experiment_group, annotations.experiment_group
            )
            = annotations.experiment_group
            and coalesce(
                withdrawals.extension_version, annotations.extension_version
            )
            = annotations.extension_version
            and coalesce(withdrawals.task_id, annotations.task_id)
            = annotations.task_id
            and (
                withdrawals.source_run_ids is null
                or annotations.source_run_id = any(withdrawals.source_run_ids)
            )
    );

-- Whether a withdrawal in force covers what a load said of an experiment beside
-- its runs. Group and version are null where what was said names none: then a
-- withdrawal that names one does not cover it.
create function raw_evals.is_taken_back(
    told_experiment_id text,
    told_load_id bigint,
    told_group text,
    told_version text
)
returns boolean
language sql
stable
as $function$
    select exists (
        select from raw_evals.withdrawals_in_force as withdrawals
        where
            withdrawals.experiment_id = told_experiment_id
            and withdrawals.load_id > told_load_id
            and coalesce(withdrawals.withdrawn_load_id, told_load_id)
            = told_load_id
            and (
                withdrawals.experiment_group is null
                or withdrawals.experiment_group = told_group
            )
            and (
                withdrawals.extension_version is null
                or withdrawals.extension_version = told_version
            )
            and withdrawals.task_id is null
            and withdrawals.annotation_id is null
            and withdrawals.source_run_ids is null
    )
$function$;
