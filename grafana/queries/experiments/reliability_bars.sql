-- both arms; the baseline's may be of another experiment
with

compared as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        baseline_experiment_id,
        baseline_group,
        baseline_version
    from evals.evaluation_comparison_view
    where
        experiment_id = ${experiment:sqlstring}
        and candidate_group = ${group:sqlstring}
        and candidate_version = ${version:sqlstring}
),

named as (
    select distinct
        'baseline' as arm,
        baseline_experiment_id as experiment_id,
        baseline_group as experiment_group,
        baseline_version as extension_version
    from compared
    union distinct
    select distinct
        'candidate' as arm,
        experiment_id,
        candidate_group as experiment_group,
        candidate_version as extension_version
    from compared
)

select
    named.arm || ': ' || arms.experiment_group || ' ' || arms.extension_version
        as "arm",
    arms.success_rate as "ended well",
    arms.pass_at_k as "pass@k",
    arms.pass_hat_k as "pass^k"
from named
inner join evals.arm_summaries as arms
    on
        named.experiment_id = arms.experiment_id
        and named.experiment_group = arms.experiment_group
        and named.extension_version = arms.extension_version
order by named.arm, arms.experiment_group, arms.extension_version
