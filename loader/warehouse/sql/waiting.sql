-- Loads that changed something since the marts were last built.
select count(distinct changes.load_id)
from raw_evals.load_experiments as changes
where
    changes.load_id > (
        select max(builds.built_load_id)
        from {builds} as builds
        where builds.status = 'complete' and builds.is_whole
    )
