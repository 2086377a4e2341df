insert into raw_evals.gate_calibrations (
    calibration_id, experiment_id, experiment_group, extension_version, metric,
    loader_version, load_id, seed, splits, comparisons, false_alarms, task_count, run_count,
    alpha, rate, rate_low, rate_high
)
select
    %(calibration_id)s,
    %(experiment_id)s,
    counts.experiment_group,
    counts.extension_version,
    counts.metric,
    %(loader_version)s,
    %(load_id)s,
    %(seed)s,
    %(splits)s,
    counts.comparisons,
    counts.false_alarms,
    counts.task_count,
    counts.run_count,
    %(alpha)s,
    counts.false_alarms::float8 / nullif(counts.comparisons, 0) as rate,
    {functions}.wilson_lower(counts.false_alarms, counts.comparisons, 0.05) as rate_low,
    {functions}.wilson_upper(counts.false_alarms, counts.comparisons, 0.05) as rate_high
from
    jsonb_to_recordset(%(counts)s)
        as counts (
            experiment_group text,
            extension_version text,
            metric text,
            task_count integer,
            run_count integer,
            comparisons integer,
            false_alarms integer
        )
returning
    experiment_group, extension_version, metric, task_count, run_count, comparisons,
    false_alarms, rate, rate_low, rate_high, alpha
