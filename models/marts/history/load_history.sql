{{ config(indexes=[{"columns": ["finished_at"]}]) }}

with

loads as (
    select * from {{ ref('stg_loads') }}
),

rejected_rows as (
    select * from {{ ref('stg_rejected_rows') }}
),

counted_reasons as (
    select
        load_id,
        reason_code,
        count(*) as row_count
    from rejected_rows
    group by load_id, reason_code
),

reasons as (
    select
        load_id,
        (
            array_agg(
                reason_code
                order by row_count desc, reason_code collate "C"
            )
        )[1] as top_reject_reason_code,
        jsonb_object_agg(reason_code, row_count) as reject_reasons
    from counted_reasons
    group by load_id
),

joined as (
    select
        loads.load_id,
        loads.experiment_id,
        loads.source,
        loads.loader_version,
        reasons.top_reject_reason_code,
        loads.rows_read,
        loads.rows_loaded,
        loads.rows_unchanged,
        loads.rows_rejected,
        loads.values_set_aside,
        coalesce(reasons.reject_reasons, '{}') as reject_reasons,
        loads.source_ref,
        loads.started_at,
        loads.finished_at
    from loads
    left join reasons
        on loads.load_id = reasons.load_id
)

select * from joined
