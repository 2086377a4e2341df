-- Everything in raw that marts are made of, as text that changes when it does:
-- what is said of runs comes with a load, and load ids only grow. And the roles
-- that a build lets read them: one that came to the server since lacks its grants.
select
    concat_ws(
        ' ',
        'loads', (select max(loads.load_id) from raw_evals.loads as loads),
        'decisions', (select count(*) from raw_evals.gate_decisions),
        'schema', (
            select max(versions.version) from raw_evals.schema_version as versions
        ),
        'roles', (
            select string_agg(roles.oid::text, ',' order by roles.oid)
            from pg_catalog.pg_roles as roles
            where
                roles.rolname in ('evals_analyst', 'evals_gate', 'evals_loader')
        )
    ) as raw_state,
    coalesce(
        (select max(loads.load_id) from raw_evals.loads as loads), 0
    ) as load_id
