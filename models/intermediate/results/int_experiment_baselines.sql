with

agent_baselines as (
    select *
    from {{ ref('stg_agent_baselines') }}
    where {{ is_in_build('load_id') }}
),

first_loads as (
    select
        experiment_id,
        min(load_id) as first_load_id
    from {{ ref('stg_load_experiments') }}
    group by experiment_id
),

-- the latest of an agent that was there before the experiment
latest_baselines as (
    select distinct on (first_loads.experiment_id, agent_baselines.agent_name)
        first_loads.experiment_id,
        agent_baselines.agent_name,
        agent_baselines.baseline_experiment_id,
        agent_baselines.set_at
    from first_loads
    inner join agent_baselines
        on first_loads.first_load_id > agent_baselines.load_id
    order by
        first_loads.experiment_id asc,
        agent_baselines.agent_name asc,
        agent_baselines.load_id desc
),

in_force as (
    select *
    from latest_baselines
    where
        baseline_experiment_id is not null
        and experiment_id != baseline_experiment_id
)

select * from in_force
