-- Which role a group has in one experiment, where a load said it. It goes
-- before the team's list of groups: two experiments may use one name in
-- different roles.

create table raw_evals.experiment_group_roles (
    load_id bigint not null,
    experiment_id text not null,
    experiment_group text not null,
    role text not null check (role in ('control', 'treatment')),
    -- begins with the distribution column of a Citus cluster
    primary key (experiment_id, experiment_group, load_id)
);

comment on table raw_evals.experiment_group_roles is
'One row per load, experiment and group of which it said the role; the latest counts.';
