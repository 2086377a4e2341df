{#
    A row is a group of an experiment whose role nobody said: neither the seed
    experiment_groups nor a load. Its results would be in no comparison. Roles
    are read from raw, so that a build of a part, without the models of roles,
    can ask as well.

    A warning, unless everything is asked for: no load admits such a group, but
    who may append may write one by hand, and must not end everybody's builds.
#}
{{ config(severity='error' if var('test_all') else 'warn') }}

with

results as (
    {{ untested_rows(ref('evaluation_results')) }}
),

experiment_groups as (
    select * from {{ ref('experiment_groups') }}
),

group_roles as (
    select distinct
        experiment_id,
        experiment_group,
        true as is_said
    from {{ source('raw_evals', 'experiment_group_roles') }}
),

groups_without_role as (
    select
        results.experiment_id,
        results.experiment_group,
        count(*) as result_count
    from results
    left join experiment_groups
        on results.experiment_group = experiment_groups.experiment_group
    left join group_roles
        on
            results.experiment_id = group_roles.experiment_id
            and results.experiment_group = group_roles.experiment_group
    where group_roles.is_said is null and experiment_groups.role is null
    group by results.experiment_id, results.experiment_group
)

select * from groups_without_role
