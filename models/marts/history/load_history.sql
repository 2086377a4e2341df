{{ config(indexes=[{"columns": ["finished_at"]}]) }}

with

loads as (
    select * from {{ ref('stg_loads') }}
),

counted_reasons as (
    select
        loads.load_id,
        reason.reason_code,
        reason.row_count::bigint as row_count
    from loads
    cross join
        jsonb_each_text(loads.reject_counts)
            as reason (reason_code, row_count)
),

top_reasons as (
    select
        load_id,
        (
            array_agg(
                reason_code
                order by row_count desc, reason_code collate "C"
            )
        )[1] as top_reject_reason_code
    from counted_reasons
    group by load_id
),

joined as (
    select
        loads.load_id,
        loads.experiment_id,
        loads.source,
        loads.loader_version,
        top_reasons.top_reject_reason_code,
        loads.rows_read,
        loads.rows_loaded,
        loads.rows_unchanged,
        loads.rows_rejected,
        loads.rejects_left_out,
        loads.values_set_aside,
        loads.reject_counts as reject_reasons,
        loads.source_ref,
        loads.started_at,
        loads.finished_at
    from loads
    left join top_reasons
        on loads.load_id = top_reasons.load_id
)

select * from joined
