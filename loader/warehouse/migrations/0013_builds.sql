-- Who builds the marts, and which builds there were: one row a build in the
-- table `builds` beside the marts of each schema, owned by whoever builds.
--
-- The running row is the lease. It is taken in one short transaction, renewed
-- in others, and held by nothing that a session holds: so it works through any
-- pooler, and no server's timeout takes it away. A holder that renews loses it
-- a minute after it fell silent. Plain dbt does not renew: it counts as
-- alive while a session of its name is there, for six hours at most.

-- Create the ledger of builds for the marts of a schema, where there is none.
create function raw_evals.create_builds(marts text)
returns void
language plpgsql
as $function$
declare
    staging constant text := quote_ident(marts || '_staging');
    is_old boolean := false;
begin
    if to_regclass(staging || '.builds') is not null then
        return;
    end if;
    if to_regnamespace(staging) is null then
        execute format('create schema if not exists %s', staging);
    end if;
    execute format(
        $statement$
        create table %1$s.builds (
            build_id bigint generated always as identity primary key,
            status text not null default 'running',
            holder jsonb not null,
            started_at timestamptz not null default clock_timestamp(),
            renewed_at timestamptz not null default clock_timestamp(),
            wrote_at timestamptz,
            finished_at timestamptz,
            built_load_id bigint not null default 0,
            settings_hash text,
            is_whole boolean not null default false,
            replaces_all boolean not null default false,
            constraint builds_status check (
                status in ('running', 'complete', 'failed', 'lost')
            )
        );
        create unique index one_build_at_a_time on %1$s.builds (status)
        where status = 'running';
        comment on table %1$s.builds is
        'One row per build of the marts; the running one is the lease.';
        comment on column %1$s.builds.holder is
        'Who builds: name, user, token; its sessions, and whether it renews.';
        comment on column %1$s.builds.wrote_at is
        'When it began to write; before, the marts are those of the last one.';
        comment on column %1$s.builds.built_load_id is
        'The load up to which the marts are built, once it is complete.';
        comment on column %1$s.builds.is_whole is
        'Whether it builds every model, so that all marts are of one state.';
        comment on column %1$s.builds.replaces_all is
        'Whether it may change what no load since the last build is about.'
        $statement$,
        staging
    );
    -- marts of before there was a ledger are a build, too
    if to_regclass(staging || '.build_watermarks') is not null then
        execute format(
            'select exists (select from %s.build_watermarks)', staging
        ) into is_old;
    end if;
    if is_old then
        execute format(
            $statement$
            insert into %1$s.builds (
                status, holder, finished_at, wrote_at, is_whole, built_load_id
            )
            select
                'complete',
                '{"name": "builds before there was a ledger"}'::jsonb,
                clock_timestamp(),
                clock_timestamp(),
                true,
                coalesce(min(built_load_id), 0)
            from %1$s.build_watermarks
            $statement$,
            staging
        );
    end if;
exception
    -- another builder makes it at this moment, and was first
    when unique_violation or duplicate_schema or duplicate_table then null;
end
$function$;

-- The build under way in a schema, as one row or none, and whether its holder
-- is alive.
create function raw_evals.running_build(
    marts text,
    out build_id bigint,
    out holder jsonb,
    out started_at timestamptz,
    out is_alive boolean
)
returns setof record
stable
language plpgsql
as $function$
declare
    staging constant text := quote_ident(marts || '_staging');
    last_sign text := 'builds.renewed_at';
begin
    if to_regclass(staging || '.builds') is null then
        return;
    end if;
    -- who does not renew still leaves a sign with each model
    if to_regclass(staging || '.build_watermarks') is not null then
        last_sign := format(
            'greatest(builds.renewed_at, (select max(greatest(marks.started_at,'
            ' marks.finished_at)) from %s.build_watermarks as marks))',
            staging
        );
    end if;
    return query execute format(
        $statement$
        select
            builds.build_id,
            builds.holder,
            builds.started_at,
            signs.silent <= interval '60 seconds'
            or (
                not coalesce((builds.holder ->> 'renews')::boolean, false)
                and signs.silent <= interval '6 hours'
                and exists (
                    select from pg_catalog.pg_stat_activity as sessions
                    where
                        sessions.datname = current_database()
                        and sessions.application_name
                        = builds.holder ->> 'sessions'
                        and sessions.pid <> pg_backend_pid()
                )
            )
        from %1$s.builds as builds
        cross join lateral (select clock_timestamp() - %2$s as silent) as signs
        where builds.status = 'running'
        $statement$,
        staging,
        last_sign
    );
end
$function$;

-- Take the lease, or tell who has it. A row whose holder is silent, or whom
-- the caller knows to be dead, is marked lost.
create function raw_evals.take_build(
    marts text,
    new_holder jsonb,
    dead_build_id bigint default null,
    out is_taken boolean,
    out build_id bigint,
    out holder jsonb,
    out started_at timestamptz,
    out lost_build_id bigint,
    out lost_holder jsonb,
    out lost_started_at timestamptz
)
language plpgsql
as $function$
declare
    builds constant text := quote_ident(marts || '_staging') || '.builds';
    running record;
begin
    perform raw_evals.create_builds(marts);
    -- not seen by who reads, and over at the end of this transaction
    execute format('lock table %s in share row exclusive mode', builds);

    select * into running from raw_evals.running_build(marts);
    if running.build_id is not null then
        if
            running.is_alive
            and running.build_id is distinct from dead_build_id
        then
            is_taken := false;
            build_id := running.build_id;
            holder := running.holder;
            started_at := running.started_at;
            return;
        end if;
        execute format(
            $statement$
            update %s set status = 'lost', finished_at = clock_timestamp()
            where build_id = $1
            $statement$,
            builds
        ) using running.build_id;
        lost_build_id := running.build_id;
        lost_holder := running.holder;
        lost_started_at := running.started_at;
    end if;

    is_taken := true;
    holder := new_holder || jsonb_build_object('user', session_user);
    execute format(
        'insert into %s (holder) values ($1) returning build_id, started_at',
        builds
    ) into build_id, started_at using holder;

    -- years of builds every minute would be a table that only grows
    execute format(
        'delete from %1$s where build_id < least($1 - 1000, ('
        'select max(complete.build_id) from %1$s as complete '
        'where complete.status = ''complete'' and complete.is_whole))',
        builds
    ) using build_id;
end
$function$;

-- Say that the build of a token begins to write; who has no lease takes it, or
-- is refused.
create function raw_evals.begin_build(
    marts text,
    new_holder jsonb,
    new_settings_hash text,
    builds_all boolean,
    changes_all boolean
)
returns void
language plpgsql
as $function$
declare
    builds constant text := quote_ident(marts || '_staging') || '.builds';
    own_id bigint;
    taken record;
begin
    perform raw_evals.create_builds(marts);
    execute format(
        $statement$
        select build_id from %s
        where status = 'running' and holder ->> 'token' = $1
        $statement$,
        builds
    ) into own_id using new_holder ->> 'token';
    if own_id is null then
        select * into taken from raw_evals.take_build(marts, new_holder);
        if not taken.is_taken then
            raise exception 'another build of this database is under way: %',
                format(
                    '%s, since %s',
                    taken.holder ->> 'name',
                    date_trunc('second', taken.started_at)
                )
            using
                errcode = 'object_in_use',
                hint = 'run this again when that has ended';
        end if;
        own_id := taken.build_id;
    end if;

    -- with none before it that wrote, whatever is there is of this build
    execute format(
        $statement$
        update %1$s as builds
        set
            wrote_at = clock_timestamp(),
            settings_hash = $2,
            is_whole = $3 or not exists (
                select from %1$s as earlier
                where earlier.build_id < $1 and earlier.wrote_at is not null
            ),
            replaces_all = $4 or whole.settings_hash is distinct from $2
        from (select) as one
        left join lateral (
            select complete.build_id, complete.settings_hash
            from %1$s as complete
            where complete.status = 'complete' and complete.is_whole
            order by complete.build_id desc
            limit 1
        ) as whole on true
        where builds.build_id = $1
        $statement$,
        builds
    ) using own_id, new_settings_hash, builds_all, changes_all;
end
$function$;

-- Close the build of a token. Refused when it was taken over: what was written
-- since may be of two builds. One never let begin has nothing to close.
create function raw_evals.end_build(
    marts text,
    token text,
    is_complete boolean
)
returns void
language plpgsql
as $function$
declare
    staging constant text := quote_ident(marts || '_staging');
    own_id bigint;
    was_lost boolean;
    upto bigint := 0;
begin
    if to_regclass(staging || '.build_watermarks') is not null then
        execute format(
            $statement$
            select marks.built_load_id from %s.build_watermarks as marks
            where marks.model = 'evaluation_trials'
            $statement$,
            staging
        ) into upto;
    end if;
    execute format(
        $statement$
        update %1$s.builds
        set
            status = case when $2 then 'complete' else 'failed' end,
            finished_at = clock_timestamp(),
            built_load_id = coalesce($3, 0)
        where status = 'running' and holder ->> 'token' = $1
        returning build_id
        $statement$,
        staging
    ) into own_id using token, is_complete, upto;
    if own_id is not null then
        return;
    end if;
    execute format(
        $statement$
        select exists (
            select from %1$s.builds
            where status = 'lost' and holder ->> 'token' = $1
        )
        $statement$,
        staging
    ) into was_lost using token;
    if was_lost then
        raise exception 'another build took over this one'
            using
                errcode = 'object_in_use',
                hint = 'the marts are being built by that one';
    end if;
end
$function$;

-- Whether a question can be answered from one state of the marts, asked in the
-- snapshot that answers it: no row where it can. Else what is in the way: the
-- build under way, or the last one, which did not finish or built only a part.
-- Asked about everything when `experiments` is null.
create function raw_evals.build_in_the_way(
    marts text,
    experiments text [],
    out status text,
    out holder jsonb,
    out started_at timestamptz,
    out is_alive boolean
)
returns setof record
stable
language plpgsql
as $function$
declare
    staging constant text := quote_ident(marts || '_staging');
    since record;
    is_touched boolean;
begin
    if to_regclass(staging || '.builds') is null then
        return;
    end if;
    -- what has written to the marts since they were of one state
    execute format(
        $statement$
        with whole as (
            select complete.build_id, complete.built_load_id
            from %1$s.builds as complete
            where complete.status = 'complete' and complete.is_whole
            order by complete.build_id desc
            limit 1
        )

        select
            coalesce(max(whole.built_load_id), 0) as load_id,
            max(builds.build_id) as build_id,
            coalesce(bool_or(builds.replaces_all), false) as replaces_all,
            bool_and(builds.status = 'complete') as are_complete
        from %1$s.builds as builds
        left join whole on true
        where
            builds.wrote_at is not null
            and builds.build_id > coalesce(whole.build_id, 0)
        $statement$,
        staging
    ) into since;
    if since.build_id is null then
        return;
    end if;

    is_touched := since.replaces_all
        or (experiments is null and not since.are_complete);
    if not is_touched then
        execute format(
            $statement$
            with changes as (
                select changes.experiment_id
                from raw_evals.load_experiments as changes
                where
                    changes.load_id > $1
                    and changes.load_id <= (
                        select max(marks.built_load_id)
                        from %1$s.build_watermarks as marks
                    )
            )

            select
                exists (
                    select from changes
                    where $2 is null or changes.experiment_id = any($2)
                )
                or exists (
                    select
                    from changes
                    inner join raw_evals.load_experiments as links
                        on changes.experiment_id = links.baseline_experiment_id
                    where links.experiment_id = any($2)
                )
            $statement$,
            staging
        ) into is_touched using since.load_id, experiments;
    end if;
    if not is_touched then
        return;
    end if;

    -- one that is about to write will make it whole
    return query
    select 'running', running.holder, running.started_at, running.is_alive
    from raw_evals.running_build(marts) as running;
    if not found then
        return query execute format(
            $statement$
            select builds.status, builds.holder, builds.started_at, false
            from %s.builds as builds
            where builds.build_id = $1
            $statement$,
            staging
        ) using since.build_id;
    end if;
end
$function$;

comment on function raw_evals.take_build is
'Takes the lease of whoever builds the marts of a schema.';
