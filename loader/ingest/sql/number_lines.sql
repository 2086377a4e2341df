-- Lines that name neither run nor repetition are the first, second … run of their task, group
-- and version in this load, in the order in which they came. Each arrives named as the first;
-- one that was copied straight into raw before, in this load, is the first already.
with

placed as (
    select
        incoming.ordinal,
        incoming.source_run_id,
        row_number() over (
            partition by incoming.experiment_id, incoming.source_run_id
            order by incoming.ordinal
        ) as place_among_staged,
        (straight.source_run_id is not null)::integer as straight_count
    from incoming
    left join raw_evals.evaluation_runs as straight
        on
            incoming.experiment_id = straight.experiment_id
            and incoming.source_run_id = straight.source_run_id
            and straight.source = %(source)s
            and straight.run_version = 1
            and straight.load_id = %(load_id)s
            and straight.is_id_derived
    where incoming.is_id_derived
),

numbered as (
    select
        ordinal,
        source_run_id,
        place_among_staged + straight_count as place
    from placed
)

update incoming
set
    source_run_id = case
        when numbered.source_run_id like 'sha256:%%'
            then numbered.source_run_id || '#' || numbered.place
        -- ["task","group","version",1]
        else left(numbered.source_run_id, -2) || numbered.place || ']'
    end
from numbered
where incoming.ordinal = numbered.ordinal and numbered.place > 1
