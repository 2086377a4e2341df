{#
    Conservation: of the loads that the last build took in, what was read is
    what was loaded, unchanged or rejected, and what was loaded and rejected is
    there, but for rejects that were not kept. A row is a load whose counters
    disagree with its rows. Retention removes rows, and so may a person, so
    loads before an entry of theirs are not counted again.

    A warning, unless everything is asked for: who may append may write an entry
    that says more than there is, and must not end the builds of all others.
#}
{{ config(severity='error' if var('test_all') else 'warn') }}

with

watermarks as (
    select
        target_load_id,
        {% if var('test_all') %}
            0 as previous_load_id
        {% else %}
            previous_load_id
        {% endif %}
    from {{ build_watermarks() }}
    where model = 'evaluation_trials'
),

loads as (
    select stg_loads.*
    from {{ ref('stg_loads') }} as stg_loads
    inner join watermarks
        on
            stg_loads.load_id > watermarks.previous_load_id
            and stg_loads.load_id <= watermarks.target_load_id
),

counted_runs as (
    select
        load_id,
        count(*) as run_count
    from {{ ref('stg_evaluation_runs') }}
    where load_id > (select watermarks.previous_load_id from watermarks)
    group by load_id
    union all
    select
        load_id,
        count(distinct annotation_id) as run_count
    from {{ ref('stg_annotations') }}
    where load_id > (select watermarks.previous_load_id from watermarks)
    group by load_id
),

counted_rejects as (
    select
        load_id,
        count(*) as reject_count
    from {{ ref('stg_rejected_rows') }}
    where load_id > (select watermarks.previous_load_id from watermarks)
    group by load_id
),

purges as (
    select coalesce(max(load_id), 0) as last_load_id
    from {{ ref('stg_loads') }}
    where source in ('purge', 'deletion')
),

mismatched as (
    select
        loads.load_id,
        loads.rows_read,
        loads.rows_loaded,
        loads.rows_unchanged,
        loads.rows_rejected,
        loads.rejects_left_out,
        counted_runs.run_count,
        counted_rejects.reject_count
    from loads
    cross join purges
    left join counted_runs
        on loads.load_id = counted_runs.load_id
    left join counted_rejects
        on loads.load_id = counted_rejects.load_id
    where
        loads.rows_read
        != loads.rows_loaded + loads.rows_unchanged + loads.rows_rejected
        or loads.rows_rejected - loads.rejects_left_out
        < coalesce(counted_rejects.reject_count, 0)
        or (
            loads.rows_rejected - loads.rejects_left_out
            != coalesce(counted_rejects.reject_count, 0)
            and loads.load_id > purges.last_load_id
        )
        or loads.rows_loaded < coalesce(counted_runs.run_count, 0)
        or (
            loads.rows_loaded != coalesce(counted_runs.run_count, 0)
            and loads.load_id > purges.last_load_id
        )
),

-- evaluation_trials is what the watermark speaks of
built as (
    select mismatched.*
    from mismatched
    where exists (select from {{ ref('evaluation_trials') }})
)

select * from built
