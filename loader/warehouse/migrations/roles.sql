-- Run by every `init`: the two roles, and what they may do in the raw schema.
-- Roles belong to the whole server, so a second database finds them there, and
-- an init in another database may be creating them at this moment.

do $$
declare
    missing_role text;
begin
    foreach missing_role in array array['evals_loader', 'evals_analyst'] loop
        if not exists (
            select from pg_catalog.pg_roles where rolname = missing_role
        ) then
            begin
                execute format('create role %I nologin', missing_role);
            exception
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then
                    raise warning 'cannot create role %: ask an administrator',
                        missing_role;
            end;
        end if;
    end loop;

    if exists (
        select from pg_catalog.pg_roles where rolname = 'evals_loader'
    ) then
        grant usage on schema raw_evals to evals_loader;
        grant select, insert on all tables in schema raw_evals to evals_loader;
        grant usage on all sequences in schema raw_evals to evals_loader;
        revoke insert on raw_evals.schema_version from evals_loader;
    end if;
end
$$;
