-- Who holds a lock of a table of the raw schema, the longest there first. When a transaction of
-- another role began is told only to who may know it.
select
    activity.application_name,
    activity.xact_start,
    activity.usename,
    activity.pid
from pg_catalog.pg_locks as locks
inner join pg_catalog.pg_class as tables
    on locks.relation = tables.oid
inner join pg_catalog.pg_stat_activity as activity
    on locks.pid = activity.pid
where
    locks.database = (
        select databases.oid from pg_catalog.pg_database as databases
        where databases.datname = current_database()
    )
    and locks.granted
    and locks.pid != pg_backend_pid()
    and tables.relnamespace = to_regnamespace('raw_evals')
    and tables.relkind in ('r', 'p')
    and (%(table)s::text is null or tables.relname = %(table)s)
    and (%(mode)s::text is null or locks.mode = %(mode)s)
order by activity.xact_start nulls last, activity.pid
limit 1
