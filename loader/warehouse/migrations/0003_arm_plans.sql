-- What is not known is not true, and what was planned but left no record can
-- be missed: whether a run succeeded may be unsaid, and an arm may say how many
-- runs of how many tasks it was to have.

alter table raw_evals.evaluation_runs alter column success drop not null;

create table raw_evals.arm_plans (
    load_id bigint not null,
    experiment_id text not null,
    experiment_group text not null,
    extension_version text not null,
    -- null where the source does not know
    planned_repetitions integer check (planned_repetitions >= 1),
    planned_tasks integer check (planned_tasks >= 1),
    -- begins with the distribution column of a Citus cluster
    primary key (
        experiment_id, experiment_group, extension_version, load_id
    )
);

comment on table raw_evals.arm_plans is
'One row per load that knew how much an arm was to run; the latest counts.';
