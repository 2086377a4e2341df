-- A load counts every row that it rejects, and keeps some of each reason: what somebody
-- sends must not decide how large the ledger grows.

alter table raw_evals.loads
-- {reason code: rows}, all of them
add column reject_counts jsonb not null default '{}',
-- of them: rows that are in no row of rejected_rows
add column rejects_left_out bigint not null default 0;

create function raw_evals.sum_of_counts(counts jsonb)
returns numeric
language sql
immutable
parallel safe
return (
    -- anything but a whole positive number is no count, and equals no sum
    select
        coalesce(
            sum(
                case
                    when counted.row_count ~ '^[1-9][0-9]{0,17}$'
                        then counted.row_count::numeric
                    else 'NaN'::numeric
                end
            ),
            0
        )
    from jsonb_each_text(counts) as counted (reason_code, row_count)
);

-- What was loaded before has its rows. Should somebody have removed or added some, what is
-- missing has no reason, and what is too much is not counted.
with

counted as (
    select
        load_id,
        reason_code,
        count(*) as row_count
    from raw_evals.rejected_rows
    group by load_id, reason_code
),

summed as (
    select
        load_id,
        jsonb_object_agg(reason_code, row_count) as reject_counts,
        sum(row_count)::bigint as row_count
    from counted
    group by load_id
),

stated as (
    select
        loads.load_id,
        case
            when summed.row_count = loads.rows_rejected then summed.reject_counts
            when summed.row_count < loads.rows_rejected
                then
                    summed.reject_counts
                    || jsonb_build_object('unknown', loads.rows_rejected - summed.row_count)
            else jsonb_build_object('unknown', loads.rows_rejected)
        end as reject_counts,
        greatest(loads.rows_rejected - coalesce(summed.row_count, 0), 0) as left_out
    from raw_evals.loads
    left join summed
        on loads.load_id = summed.load_id
    where loads.rows_rejected > 0
)

update raw_evals.loads
set
    reject_counts = stated.reject_counts,
    rejects_left_out = stated.left_out
from stated
where loads.load_id = stated.load_id;

alter table raw_evals.loads
add constraint loads_count_rejects check (
    raw_evals.sum_of_counts(reject_counts) = rows_rejected
),
add constraint loads_leave_rejects_out check (
    rejects_left_out between 0 and rows_rejected
);

comment on column raw_evals.loads.reject_counts is
'Rejected rows by reason code; their sum is rows_rejected.';
comment on column raw_evals.loads.rejects_left_out is
'Rejected rows that were counted and not kept in rejected_rows.';
comment on table raw_evals.rejected_rows is
'One row per record that could not be loaded and was kept, with its reason and its text.';
