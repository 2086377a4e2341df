-- The stamp of a build, where it says what there is now, no build came after it,
-- and every relation that was built is there.
select
    stamps.finished_at,
    stamps.warned
from {build_stamps} as stamps
where
    stamps.inputs_hash = %(inputs)s
    and stamps.raw_state = %(raw)s
    and not exists (
        select
        from {builds} as builds
        where builds.build_id > stamps.build_id
    )
    and not exists (
        select
        from {built_relations} as built
        where
            not exists (
                select
                from pg_catalog.pg_class as relations
                where relations.oid = built.relation_oid
            )
    )
