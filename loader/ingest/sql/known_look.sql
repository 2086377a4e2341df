-- The last load of a project that was not refused, and whether its experiments lost runs since
-- by other hands than those of a load that found them deleted there, or rejected rows are not
-- kept: those have their numbers, too.
with

looks as (
    select
        load_id,
        source_ref,
        rejects_left_out
    from raw_evals.loads
    where
        source = %(source)s
        and source_ref ->> 'project_id' = %(project_id)s
        and (rows_read = 0 or rows_loaded + rows_unchanged > 0)
    order by load_id desc
    limit 1
),

disturbances as (
    select later.load_id
    from looks
    inner join raw_evals.loads as later
        on looks.load_id < later.load_id
    inner join raw_evals.load_experiments as touched
        on later.load_id = touched.load_id
    where
        later.source in ('withdrawal', 'purge', 'deletion')
        and later.source_ref ->> 'gone_from' is distinct from %(project_id)s
        and jsonb_exists(looks.source_ref #> '{look,experiments}', touched.experiment_id)
),

purges_of_rejects as (
    select later.load_id
    from looks
    inner join raw_evals.loads as later
        on looks.load_id < later.load_id
    where later.source = 'purge' and jsonb_exists(later.source_ref, 'rejects')
)

select
    looks.load_id,
    looks.source_ref,
    (
        looks.rejects_left_out > 0
        or exists (select from disturbances)
        or exists (select from purges_of_rejects)
    ) as is_disturbed
from looks
