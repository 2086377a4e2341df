-- What this role may read of the marts, and whether it can ask the ledger of builds.
select
    array(
        select class.relname::text
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where
            namespace.nspname = %(marts)s
            and class.relkind in ('r', 'p', 'v')
            and not class.relispartition
            and has_schema_privilege(namespace.oid, 'usage')
            and has_table_privilege(class.oid, 'select')
        order by class.relname
    ) as relations,
    (
        select count(*) > 0
        from pg_proc as procedures
        inner join pg_namespace as namespace
            on procedures.pronamespace = namespace.oid
        where
            namespace.nspname = %(steps)s
            and procedures.proname = 'build_in_the_way'
            and has_schema_privilege(namespace.oid, 'usage')
            and has_function_privilege(procedures.oid, 'execute')
    ) as has_ledger
