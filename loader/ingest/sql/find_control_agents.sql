-- One row per group of an experiment and agent of it, of what was not withdrawn; with the role
-- that the latest load said, where one did.
with

standing as (
    select distinct
        runs.experiment_group,
        coalesce(runs.agent_name, 'unknown') as agent_name
    from raw_evals.evaluation_runs as runs
    inner join raw_evals.standing_versions as standing_versions
        on
            runs.experiment_id = standing_versions.experiment_id
            and runs.source = standing_versions.source
            and runs.source_run_id = standing_versions.source_run_id
            and runs.run_version = standing_versions.run_version
    where runs.experiment_id = %(experiment_id)s
),

roles as (
    select distinct on (told.experiment_group)
        told.experiment_group,
        told.role
    from raw_evals.experiment_group_roles as told
    where
        told.experiment_id = %(experiment_id)s
        and not raw_evals.is_taken_back(
            told.experiment_id, told.load_id, told.experiment_group, null
        )
    order by told.experiment_group asc, told.load_id desc
)

select
    standing.experiment_group,
    standing.agent_name,
    roles.role
from standing
left join roles
    on standing.experiment_group = roles.experiment_group
order by standing.experiment_group, standing.agent_name
