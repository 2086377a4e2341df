with

withdrawals as (
    select *
    from {{ ref('stg_withdrawals') }}
    where {{ is_in_build('load_id') }}
),

in_force as (
    select
        withdrawals.load_id,
        withdrawals.experiment_id,
        withdrawals.experiment_group,
        withdrawals.extension_version,
        withdrawals.task_id,
        withdrawals.withdrawn_load_id,
        withdrawals.annotation_id,
        withdrawals.source_run_ids
    from withdrawals
    where
        withdrawals.undone_load_id is null
        and not exists (
            select
            from withdrawals as undone
            where
                undone.experiment_id = withdrawals.experiment_id
                and undone.undone_load_id = withdrawals.load_id
        )
)

select * from in_force
