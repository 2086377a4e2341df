-- The roles that a load says of its groups, for every experiment of its rows. A role that is
-- as it was is not written again, unless it was withdrawn, or the load brings runs of the group:
-- they keep it when the load that said it first is withdrawn.
with

experiments as (
    select unnest(%(experiments)s::text[]) as experiment_id
),

roles as (
    select *
    from unnest(%(groups)s::text[], %(roles)s::text[]) as given (experiment_group, role)
),

latest as (
    select distinct on (told.experiment_id, told.experiment_group)
        told.experiment_id,
        told.experiment_group,
        told.role
    from raw_evals.experiment_group_roles as told
    where
        told.experiment_id = any(%(experiments)s)
        and not raw_evals.is_taken_back(
            told.experiment_id, told.load_id, told.experiment_group, null
        )
    order by told.experiment_id asc, told.experiment_group asc, told.load_id desc
)

insert into raw_evals.experiment_group_roles (
    load_id, experiment_id, experiment_group, role
)
select
    %(load_id)s,
    experiments.experiment_id,
    roles.experiment_group,
    roles.role
from experiments
cross join roles
left join latest
    on
        experiments.experiment_id = latest.experiment_id
        and roles.experiment_group = latest.experiment_group
where
    roles.role is distinct from latest.role
    or exists (
        select from raw_evals.evaluation_runs as runs
        where
            runs.experiment_id = experiments.experiment_id
            and runs.experiment_group = roles.experiment_group
            and runs.load_id = %(load_id)s
    )
returning experiment_id
