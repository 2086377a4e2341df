-- The views that are what the last build of everything left, if that was made of the
-- same as this one and no other build came between: each by its name in the ledger, with the roles
-- among those named that may not read it.
select
    built.relation_name,
    array(
        select roles.rolname::text
        from pg_catalog.pg_roles as roles
        where
            roles.rolname = any(%(grantees)s)
            and not has_table_privilege(roles.oid, relations.oid, 'select')
    ) as shut_out
from {build_stamps} as stamps
cross join {built_relations} as built
inner join pg_catalog.pg_class as relations
    on
        built.relation_oid = relations.oid
        and to_regclass(built.relation_name) = relations.oid
where
    stamps.inputs_hash = %(inputs)s
    and not exists (
        select
        from {builds} as builds
        where
            builds.build_id > stamps.build_id
            and builds.holder ->> 'token' is distinct from %(token)s
    )
    and relations.relkind = 'v'
    and pg_has_role(relations.relowner, 'usage')
    and built.view_hash = md5(pg_get_viewdef(relations.oid))
