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
    select distinct on (experiment_id, experiment_group)
        experiment_id,
        experiment_group,
        role
    from raw_evals.experiment_group_roles as told
    where
        experiment_id = any(%(experiments)s)
        and not exists (
            select from raw_evals.withdrawals_in_force as withdrawals
            where
                withdrawals.experiment_id = told.experiment_id
                and withdrawals.load_id > told.load_id
                and coalesce(withdrawals.withdrawn_load_id, told.load_id) = told.load_id
                and coalesce(withdrawals.experiment_group, told.experiment_group)
                = told.experiment_group
                and withdrawals.extension_version is null
                and withdrawals.task_id is null
                and withdrawals.annotation_id is null
                and withdrawals.source_run_ids is null
        )
    order by experiment_id asc, experiment_group asc, load_id desc
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
