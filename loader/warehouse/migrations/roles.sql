-- Run by every `init`: the roles, what they may do in the raw schema, and the
-- guards of its tables. Roles belong to the whole server, so a second database
-- finds them there, and an init in another database may be creating them at
-- this moment.
--
-- evals_loader   appends what was observed and said, and reads raw
-- evals_gate     appends what was decided, and reads what it decides by
-- evals_analyst  reads the marts, to which a build admits it

do $$
declare
    named_role text;
    target record;
begin
    foreach named_role in array
        array['evals_loader', 'evals_analyst', 'evals_gate']
    loop
        if not exists (
            select from pg_catalog.pg_roles where rolname = named_role
        ) then
            begin
                execute format('create role %I nologin', named_role);
            exception
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then
                    raise warning 'cannot create role %: ask an administrator',
                        named_role;
            end;
        end if;
    end loop;

    call raw_evals.guard_tables();

    revoke all on function raw_evals.draw_load_id(integer) from public;
    revoke all on procedure raw_evals.guard_tables() from public;

    foreach named_role in array
        array['evals_loader', 'evals_gate']
    loop
        if exists (
            select from pg_catalog.pg_roles where rolname = named_role
        ) then
            -- what an earlier init has granted, and this one does not
            execute format(
                'revoke all on schema raw_evals from %I', named_role
            );
            execute format(
                'revoke all on all tables in schema raw_evals from %I',
                named_role
            );
            execute format(
                'revoke all on all sequences in schema raw_evals from %I',
                named_role
            );
        end if;
    end loop;

    if exists (
        select from pg_catalog.pg_roles where rolname = 'evals_loader'
    ) then
        grant usage on schema raw_evals to evals_loader;
        grant select on all tables in schema raw_evals to evals_loader;
        revoke select on raw_evals.load_turn from evals_loader;
        grant execute on function raw_evals.draw_load_id(integer)
        to evals_loader;
        -- who may read a sequence cannot move it
        grant select on sequence raw_evals.load_ids to evals_loader;
        grant select, usage on sequence raw_evals.annotation_ids
        to evals_loader;
    end if;

    if exists (
        select from pg_catalog.pg_roles where rolname = 'evals_gate'
    ) then
        grant usage on schema raw_evals to evals_gate;
        grant select on
        raw_evals.schema_version,
        raw_evals.loads,
        raw_evals.load_experiments,
        raw_evals.gate_decisions,
        raw_evals.gate_calibrations
        to evals_gate;
    end if;

    -- Not views: through one that can be written, one writes as its owner.
    -- Nor a time that the server stamps: it tells what was known, and when.
    for target in
        select
            pg_class.oid::regclass as name,
            case
                when pg_class.relname like 'gate\_%' then 'evals_gate'
                else 'evals_loader'
            end as appender,
            string_agg(
                quote_ident(pg_attribute.attname), ', '
                order by pg_attribute.attnum
            ) as columns
        from pg_catalog.pg_class
        inner join pg_catalog.pg_attribute
            on pg_class.oid = pg_attribute.attrelid
        where
            pg_class.relnamespace = 'raw_evals'::regnamespace
            and pg_class.relkind in ('r', 'p')
            and pg_class.relname not in ('schema_version', 'load_turn')
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped
            and not (
                pg_attribute.atthasdef
                and pg_attribute.atttypid = 'timestamptz'::regtype
            )
        group by pg_class.oid, pg_class.relname
    loop
        if exists (
            select from pg_catalog.pg_roles where rolname = target.appender
        ) then
            execute format(
                'grant insert (%s) on %s to %I',
                target.columns, target.name, target.appender
            );
        end if;
    end loop;

    -- it decides by the marts
    if
        (
            select count(*)
            from pg_catalog.pg_roles
            where rolname in ('evals_gate', 'evals_analyst')
        ) = 2
        and not pg_has_role('evals_gate', 'evals_analyst', 'member')
    then
        begin
            grant evals_analyst to evals_gate;
        exception
            when insufficient_privilege then
                raise warning
                    'cannot grant evals_analyst to evals_gate: ask an '
                    'administrator';
        end;
    end if;
end
$$;
