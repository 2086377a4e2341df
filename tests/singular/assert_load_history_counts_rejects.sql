{#
    The reasons that load_history gives add up to the rows that the load
    rejected. A row is a load whose reasons do not.
#}
with

load_history as (
    select * from {{ ref('load_history') }}
),

reasons as (
    select
        load_history.load_id,
        load_history.rows_rejected,
        reason.row_count::bigint as row_count
    from load_history
    left join
        jsonb_each_text(load_history.reject_reasons)
            as reason (reason_code, row_count)
        on true
),

mismatched as (
    select
        load_id,
        rows_rejected,
        sum(row_count) as reason_count
    from reasons
    group by load_id, rows_rejected
    having rows_rejected != coalesce(sum(row_count), 0)
)

select * from mismatched
