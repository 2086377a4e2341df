-- Who may write raw may neither choose a load's id nor its time, nor keep
-- anybody waiting who does not write himself. The turn of a load is a lock of a
-- table on which nobody but its owner has a right: an advisory lock is anyone's.

create table raw_evals.load_turn (
    -- by the transaction that has the turn, or had it last
    drawn_id bigint,
    drawn_in xid8
)
-- a vacuum would take the turn; the row is written over in its page
with (autovacuum_enabled = false);

comment on table raw_evals.load_turn is
'One row: the load id drawn last, and the transaction that drew it.';

insert into raw_evals.load_turn default values;

alter table raw_evals.loads
alter column started_at set default transaction_timestamp(),
alter column finished_at set default clock_timestamp();

-- Takes the turn and draws an id, to be committed with what is written under
-- it; whoever draws after that waits for the end of the transaction. So load
-- ids become visible in order. Null: the turn did not come in so many
-- milliseconds (0: it is not free); null waits for it, however long.
create function raw_evals.draw_load_id(patience_ms integer default null)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = 0
as $function$
declare
    new_id bigint;
begin
    begin
        if patience_ms = 0 then
            lock table raw_evals.load_turn in exclusive mode nowait;
        else
            perform set_config(
                'lock_timeout', coalesce(patience_ms, 0)::text, true
            );
            lock table raw_evals.load_turn in exclusive mode;
        end if;
    exception
        when lock_not_available then return null;
    end;

    new_id := nextval('raw_evals.load_ids');
    update raw_evals.load_turn
    set
        drawn_id = new_id,
        drawn_in = pg_current_xact_id();
    return new_id;
end
$function$;

-- The id that this transaction drew last; null: it drew none.
create function raw_evals.drawn_load_id()
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
    return (
        select load_turn.drawn_id
        from raw_evals.load_turn
        where load_turn.drawn_in = pg_current_xact_id_if_assigned()
    );
end
$function$;

-- An owner of a table may do with it what he likes.
create function raw_evals.is_owner_of(guarded regclass)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $function$
    select pg_has_role(current_user, pg_class.relowner, 'usage')
    from pg_class
    where pg_class.oid = guarded
$function$;

create function raw_evals.refuse_undrawn()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
    if raw_evals.drawn_load_id() is null and not raw_evals.is_owner_of(tg_relid)
    then
        raise exception 'no load id was drawn for rows of %.%',
            tg_table_schema, tg_table_name
        using
            errcode = 'restrict_violation',
            hint = 'select raw_evals.draw_load_id() in the same transaction.';
    end if;
    return null;
end
$function$;

-- Asked only for rows of which the trigger's condition holds.
create function raw_evals.refuse_other_load()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
    if new.load_id is distinct from raw_evals.drawn_load_id()
        and not raw_evals.is_owner_of(tg_relid)
    then
        raise exception 'a row of %.% has the load id %, drawn was %',
            tg_table_schema, tg_table_name, new.load_id,
            raw_evals.drawn_load_id()
        using errcode = 'restrict_violation';
    end if;
    return null;
end
$function$;

-- Purges and deletions are entries of who may delete.
create function raw_evals.refuse_reserved_source()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
    if not raw_evals.is_owner_of(tg_relid) then
        raise exception 'a load may not name itself %', new.source
        using errcode = 'restrict_violation';
    end if;
    return null;
end
$function$;

create trigger sources_are_reserved
after insert on raw_evals.loads
for each row
when (new.source in ('purge', 'deletion'))
execute function raw_evals.refuse_reserved_source();

-- A version far ahead of the others would leave no number to those that follow.
create function raw_evals.refuse_skipped_version()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
    if
        not exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = new.experiment_id
                and runs.source = new.source
                and runs.source_run_id = new.source_run_id
                and runs.run_version = new.run_version - 1
        )
        and not raw_evals.is_owner_of(tg_relid)
    then
        raise exception 'version % of a run follows no version %',
            new.run_version, new.run_version - 1
        using errcode = 'restrict_violation';
    end if;
    return null;
end
$function$;

create trigger versions_follow_each_other
after insert on raw_evals.evaluation_runs
for each row
when (new.run_version > 100)
execute function raw_evals.refuse_skipped_version();

-- An id that is not drawn yet would be somebody else's.
create function raw_evals.refuse_undrawn_annotation()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
    if not raw_evals.is_owner_of(tg_relid) then
        raise exception 'no annotation id % was drawn yet', new.annotation_id
        using
            errcode = 'restrict_violation',
            hint = 'They are those of the sequence raw_evals.annotation_ids.';
    end if;
    return null;
end
$function$;

create trigger annotation_ids_are_drawn
after insert on raw_evals.annotations
for each row
when (
    new.annotation_id not between 1 and coalesce(
        pg_sequence_last_value('raw_evals.annotation_ids'::regclass), 0
    )
)
execute function raw_evals.refuse_undrawn_annotation();

-- Puts the two guards on every table that has a load's rows. Run by each init,
-- so that the tables of later migrations have them, too. The gate's own name
-- the load that they rest on.
create procedure raw_evals.guard_tables()
language plpgsql
set search_path = pg_catalog, pg_temp
as $procedure$
declare
    guarded regclass;
begin
    for guarded in
        select pg_attribute.attrelid
        from pg_attribute
        inner join pg_class
            on pg_attribute.attrelid = pg_class.oid
        where
            pg_class.relnamespace = 'raw_evals'::regnamespace
            and pg_class.relkind in ('r', 'p')
            and pg_class.relname not in ('gate_decisions', 'gate_calibrations')
            and pg_attribute.attname = 'load_id'
            and not pg_attribute.attisdropped
            and not exists (
                select from pg_trigger
                where
                    pg_trigger.tgrelid = pg_class.oid
                    and pg_trigger.tgname = 'load_ids_are_own'
            )
    loop
        execute format(
            'create trigger load_ids_are_drawn before insert on %s'
            ' for each statement execute function raw_evals.refuse_undrawn()',
            guarded
        );
        execute format(
            'create trigger load_ids_are_own after insert on %s for each row'
            ' when (new.load_id is distinct from'
            ' pg_sequence_last_value(''raw_evals.load_ids''::regclass))'
            ' execute function raw_evals.refuse_other_load()',
            guarded
        );
    end loop;
end
$procedure$;

-- as before, but for the lock
create or replace function raw_evals.note_deletion()
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

    drawn_id := raw_evals.draw_load_id();

    insert into raw_evals.loads (
        load_id, source, source_ref, experiment_id, loader_version,
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
