-- One row per agent and time that its baseline was set, the latest first.
with

entries as (
    select
        load_id,
        agent_name,
        experiment_id,
        author,
        set_at,
        lead(set_at) over (
            partition by agent_name
            order by load_id
        ) as replaced_at
    from raw_evals.agent_baselines
)

select
    entries.agent_name,
    entries.experiment_id,
    entries.set_at,
    entries.replaced_at,
    entries.author,
    case
        when entries.experiment_id is null then 'none from then on'
        when
            not exists (
                select from raw_evals.standing_versions as runs
                where runs.experiment_id = entries.experiment_id
            )
            then 'no run of it counts: withdrawn or purged'
    end as remark
from entries
where
    (%(agent)s::text is null and entries.replaced_at is null)
    or entries.agent_name = %(agent)s
order by entries.agent_name asc, entries.load_id desc
