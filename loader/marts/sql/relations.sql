-- What this role may read of the marts, whether it can ask the ledger of builds, and whether both
-- can be told: functions that tell rights know the newest state, this query that of its start, so
-- that they say null of what was replaced in between.
with
readable as (
    select
        class.relname::text as name,
        has_schema_privilege(namespace.oid, 'usage')
        and has_table_privilege(class.oid, 'select') as is_allowed
    from pg_class as class
    inner join pg_namespace as namespace on class.relnamespace = namespace.oid
    where
        namespace.nspname = %(marts)s
        and class.relkind in ('r', 'p', 'v')
        and not class.relispartition
),

askable as (
    select
        has_schema_privilege(namespace.oid, 'usage')
        and has_function_privilege(procedures.oid, 'execute') as is_allowed
    from pg_proc as procedures
    inner join pg_namespace as namespace
        on procedures.pronamespace = namespace.oid
    where
        namespace.nspname = %(steps)s
        and procedures.proname = 'build_in_the_way'
)

select
    array(
        select name from readable
        where is_allowed
        order by name
    ) as relations,
    exists(
        select from askable
        where is_allowed
    ) as has_ledger,
    not exists (
        select from readable
        where is_allowed is null
    )
    and not exists (
        select from askable
        where is_allowed is null
    ) as can_be_told
