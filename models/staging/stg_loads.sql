with

source as (
    select * from {{ source('raw_evals', 'loads') }}
),

renamed as (
    select
        load_id,
        experiment_id,
        source,
        loader_version,
        rows_read,
        rows_loaded,
        rows_unchanged,
        rows_rejected,
        coalesce(values_set_aside, 0) as values_set_aside,
        rejects_left_out,
        reject_counts,
        source_ref,
        started_at,
        finished_at
    from source
    {% if var('as_of') %}
        where finished_at <= '{{ var('as_of') }}'::timestamptz
    {% endif %}
)

select * from renamed
