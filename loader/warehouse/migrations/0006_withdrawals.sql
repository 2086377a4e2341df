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

-- Rows that somebody deletes by hand are gone from the marts with the next
-- build, too: an entry of the ledger says that, and how many of which load.
-- Retention writes its own entry, and says so by evalmart.purging.
create function raw_evals.note_deletion()
returns trigger
language plpgsql
as $function$
declare
    drawn_id bigint;
begin
    if current_setting('evalmart.purging', true) = 'on'
        or not exists (select from removed)
    then
        return null;
    end if;

    -- as a load does: the key is that of loader/warehouse/locks.py
    perform pg_advisory_xact_lock(7043116202);
    drawn_id := nextval('raw_evals.load_ids');

    insert into raw_evals.loads (
        load_id, source, source_ref, experiment_id, loader_version,
        started_at, finished_at,
        rows_read, rows_loaded, rows_unchanged, rows_rejected
    )
    select
        drawn_id,
        'deletion',
        jsonb_build_object(
            'by', session_user,
            'versions', sum(counted.version_count),
            'of_loads', jsonb_object_agg(counted.load_id, counted.version_count)
        ),
        case
            when min(counted.first_experiment) = max(counted.last_experiment)
                then min(counted.first_experiment)
        end,
        'by hand',
        transaction_timestamp(),
        clock_timestamp(),
        0, 0, 0, 0
    from (
        select
            removed.load_id,
            count(*) as version_count,
            min(removed.experiment_id) as first_experiment,
            max(removed.experiment_id) as last_experiment
        from removed
        group by removed.load_id
    ) as counted;

    insert into raw_evals.load_experiments (
        load_id, experiment_id, baseline_experiment_id
    )
    select distinct
        drawn_id,
        removed.experiment_id,
        removed.baseline_experiment_id
    from removed;

    return null;
end
$function$;

create trigger deletions_are_noted
after delete on raw_evals.evaluation_runs
referencing old table as removed
for each statement execute function raw_evals.note_deletion();

create function raw_evals.delete_before_truncate()
returns trigger
language plpgsql
as $function$
begin
    delete from raw_evals.evaluation_runs;
    return null;
end
$function$;

create trigger truncation_is_noted
before truncate on raw_evals.evaluation_runs
for each statement execute function raw_evals.delete_before_truncate();
