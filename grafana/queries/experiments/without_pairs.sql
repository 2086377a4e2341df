-- experiments of which no candidate has a baseline with tasks
select
    arms.experiment_id as "experiment",
    string_agg(
        arms.experiment_group || ' ' || arms.extension_version,
        ', ' order by arms.experiment_group, arms.extension_version
    ) as "arms",
    sum(arms.total_tasks)::bigint as "tasks",
    sum(arms.total_runs)::bigint as "runs"
from evals.arm_summaries as arms
where not exists (
    select from evals.experiment_summaries as summaries
    where
        arms.experiment_id = summaries.experiment_id
        and summaries.total_tasks + summaries.baseline_only_tasks > 0
        and summaries.total_tasks + summaries.candidate_only_tasks > 0
)
group by arms.experiment_id
order by arms.experiment_id
limit 200
