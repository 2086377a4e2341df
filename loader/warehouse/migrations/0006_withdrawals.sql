-- Taking back is an entry, not a deletion: what was loaded stays, the marts
-- leave it out, and a later entry lifts the first.

create table raw_evals.withdrawals (
    load_id bigint not null,
    experiment_id text not null,
    -- the withdrawal that this entry lifts; null: it is one itself
    undone_load_id bigint,
    -- what is withdrawn of the experiment, among what was loaded before:
    -- null is any
    withdrawn_load_id bigint,
    annotation_id bigint,
    experiment_group text,
    extension_version text,
    task_id text,
    author text,
    reason text not null check (reason <> ''),
    withdrawn_at timestamptz not null default clock_timestamp(),
    -- begins with the distribution column of a Citus cluster
    primary key (experiment_id, load_id)
);

comment on table raw_evals.withdrawals is
'One row per withdrawal from an experiment, or per withdrawal lifted.';

create trigger withdrawals_are_kept
before update or delete or truncate on raw_evals.withdrawals
for each statement execute function raw_evals.refuse_change();

create view raw_evals.withdrawals_in_force as
select withdrawals.*
from raw_evals.withdrawals
left join raw_evals.withdrawals as undone
    on
        withdrawals.experiment_id = undone.experiment_id
        and withdrawals.load_id = undone.undone_load_id
where
    withdrawals.undone_load_id is null
    and undone.load_id is null;

comment on view raw_evals.withdrawals_in_force is
'One row per withdrawal that was not lifted.';

create view raw_evals.withdrawn_versions as
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
    and coalesce(withdrawals.task_id, runs.task_id) = runs.task_id;

comment on view raw_evals.withdrawn_versions is
'One row per version of a run and withdrawal in force that covers it.';
