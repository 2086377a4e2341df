with

roles as (
    select * from {{ ref('stg_experiment_group_roles') }}
),

-- the latest role of a group among the loads that the build covers
latest_roles as (
    select distinct on (experiment_id, experiment_group)
        experiment_id,
        experiment_group,
        role,
        load_id
    from roles
    where
        {{ is_in_build('load_id') }}
        and {{ is_standing('roles', ['experiment_group']) }}
    order by experiment_id asc, experiment_group asc, load_id desc
)

select * from latest_roles
