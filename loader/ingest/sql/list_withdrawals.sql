-- One row per withdrawal, the latest first, with the entry that lifted it.
select
    withdrawals.load_id as withdrawal,
    withdrawals.experiment_id,
    withdrawals.experiment_group,
    withdrawals.extension_version,
    withdrawals.task_id,
    withdrawals.withdrawn_load_id,
    withdrawals.annotation_id,
    cardinality(withdrawals.source_run_ids) as withdrawn_runs,
    withdrawals.author,
    withdrawals.reason,
    withdrawals.withdrawn_at,
    undone.load_id as undone_by,
    undone.reason as undone_because
from raw_evals.withdrawals
left join raw_evals.withdrawals as undone
    on
        withdrawals.experiment_id = undone.experiment_id
        and withdrawals.load_id = undone.undone_load_id
where withdrawals.undone_load_id is null
order by withdrawals.load_id desc
