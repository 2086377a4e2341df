-- Experiments of a load whose agents had a baseline when their first load came: the change feed
-- says with which they are compared, so that a build follows a change of it. Which arms take it
-- is decided in int_results_paired; a link too many costs a rebuild and changes nothing.
with

first_loads as (
    select
        experiment_id,
        min(load_id) as first_load_id
    from raw_evals.load_experiments
    where
        experiment_id in (
            select touched.experiment_id
            from raw_evals.load_experiments as touched
            where touched.load_id = %(load_id)s
        )
    group by experiment_id
),

agents as (
    select distinct
        first_loads.experiment_id,
        first_loads.first_load_id,
        coalesce(runs.agent_name, 'unknown') as agent_name
    from first_loads
    inner join raw_evals.evaluation_runs as runs
        on
            first_loads.experiment_id = runs.experiment_id
            and runs.load_id = %(load_id)s
),

in_force as (
    select distinct on (agents.experiment_id, agents.agent_name)
        agents.experiment_id,
        baselines.experiment_id as baseline_experiment_id
    from agents
    inner join raw_evals.agent_baselines as baselines
        on
            agents.agent_name = baselines.agent_name
            and agents.first_load_id > baselines.load_id
    order by
        agents.experiment_id asc,
        agents.agent_name asc,
        baselines.load_id desc
)

insert into raw_evals.load_experiments (load_id, experiment_id, baseline_experiment_id)
select distinct
    %(load_id)s::bigint,
    experiment_id,
    baseline_experiment_id
from in_force
where
    baseline_experiment_id is not null
    and experiment_id != baseline_experiment_id
on conflict do nothing
