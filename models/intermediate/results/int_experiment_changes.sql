{#
    The change feed of the incremental models. Both halves can be read by a
    range of load_id.
#}
with

load_experiments as not materialized (
    select * from {{ ref('stg_load_experiments') }}
),

direct_changes as (
    select
        load_id,
        experiment_id,
        true as is_direct
    from load_experiments
),

-- a link that is as new as the change is a direct change of its own
linked_changes as (
    select
        changes.load_id,
        links.experiment_id,
        false as is_direct
    from load_experiments as changes
    inner join load_experiments as links
        on
            changes.experiment_id = links.baseline_experiment_id
            and changes.load_id > links.load_id
),

all_changes as (
    select * from direct_changes
    union all
    select * from linked_changes
)

select * from all_changes
