-- One row per load whose rows in raw are not those of its entry less what purges and deletions
-- say they took. Purges of before 0.2 do not say of which loads: what came before the last of
-- those may be fewer.
with

counted as (
    select
        load_id,
        count(*) as row_count
    from raw_evals.evaluation_runs
    group by load_id
),

taken as (
    select
        of_loads.load_id::bigint as load_id,
        sum(of_loads.row_count::bigint) as row_count
    from raw_evals.loads
    cross join
        lateral
        jsonb_each_text(loads.source_ref -> 'of_loads') as of_loads (load_id, row_count)
    where loads.source in ('purge', 'deletion')
    group by of_loads.load_id::bigint
),

vague_purges as (
    select coalesce(max(load_id), 0) as last_load_id
    from raw_evals.loads
    where source = 'purge' and not jsonb_exists(source_ref, 'of_loads')
),

loaded as (
    select
        load_id,
        source,
        rows_loaded
    from raw_evals.loads
    where source != 'annotation'
),

compared as (
    select
        coalesce(loaded.load_id, counted.load_id) as load_id,
        coalesce(loaded.source, 'not in the ledger') as source,
        coalesce(counted.row_count, 0) as row_count,
        coalesce(loaded.rows_loaded, 0) - coalesce(taken.row_count, 0) as expected_count
    from loaded
    full join counted
        on loaded.load_id = counted.load_id
    left join taken
        on coalesce(loaded.load_id, counted.load_id) = taken.load_id
)

select
    compared.load_id,
    compared.source,
    compared.row_count,
    compared.expected_count
from compared
cross join vague_purges
where
    compared.row_count > compared.expected_count
    or (
        compared.row_count < compared.expected_count
        and compared.load_id > vague_purges.last_load_id
    )
order by compared.load_id
