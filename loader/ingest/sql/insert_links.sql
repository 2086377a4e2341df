-- Experiments of a load whose agents had a baseline when their first load came: the change feed
-- says once with which they are compared, so that a build follows a change of it. Which arms take
-- it is decided in int_results_paired; a link too many costs a rebuild and changes nothing.
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

in_force as (
    select distinct on (first_loads.experiment_id, baselines.agent_name)
        first_loads.experiment_id,
        baselines.agent_name,
        baselines.experiment_id as baseline_experiment_id
    from first_loads
    inner join raw_evals.agent_baselines as baselines
        on first_loads.first_load_id > baselines.load_id
    order by
        first_loads.experiment_id asc,
        baselines.agent_name asc,
        baselines.load_id desc
),

unlinked as materialized (
    select *
    from in_force
    where
        baseline_experiment_id is not null
        and experiment_id != baseline_experiment_id
        and not exists (
            select from raw_evals.load_experiments as links
            where
                links.experiment_id = in_force.experiment_id
                and links.baseline_experiment_id = in_force.baseline_experiment_id
        )
),

-- the runs of a load are found by its id; where nothing is to be linked they are not read
agents as materialized (
    select distinct
        experiment_id,
        coalesce(agent_name, 'unknown') as agent_name
    from raw_evals.evaluation_runs
    where
        load_id = %(load_id)s
        and exists (select from unlinked)
)

insert into raw_evals.load_experiments (load_id, experiment_id, baseline_experiment_id)
select distinct
    %(load_id)s::bigint,
    unlinked.experiment_id,
    unlinked.baseline_experiment_id
from unlinked
inner join agents
    on
        unlinked.experiment_id = agents.experiment_id
        and unlinked.agent_name = agents.agent_name
