-- what the runs of both arms cost; a run without a known cost adds nothing
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
    named.arm,
    named.experiment_group as "group",
    named.extension_version as "version",
    count(*) as "runs",
    count(trials.cost_usd) as "with a cost",
    sum(trials.cost_usd) as "spent",
    avg(trials.cost_usd) as "a run",
    sum(trials.tokens_used)::bigint as "tokens"
from named
inner join evals.evaluation_trials as trials
    on
        named.experiment_id = trials.experiment_id
        and named.experiment_group = trials.experiment_group
        and named.extension_version = trials.extension_version
group by named.arm, named.experiment_group, named.extension_version
order by named.arm, named.experiment_group, named.extension_version
