-- Which experiment is an agent's baseline, from when on: an experiment that
-- says none and has no control arm is compared with the one that was in force
-- when its first load came. So a later entry changes no older verdict.

create table raw_evals.agent_baselines (
    load_id bigint not null,
    -- unknown: of runs that name no agent
    agent_name text not null check (agent_name <> ''),
    -- null: the agent has none from then on
    experiment_id text,
    author text,
    set_at timestamptz not null default clock_timestamp(),
    primary key (agent_name, load_id)
);

comment on table raw_evals.agent_baselines is
'One row per agent and time that its baseline was set; the latest counts.';

create trigger agent_baselines_are_kept
before update or delete or truncate on raw_evals.agent_baselines
for each statement execute function raw_evals.refuse_change();

-- when an experiment's first load came
create index load_experiments_experiment_id_idx
on raw_evals.load_experiments (experiment_id, load_id);
