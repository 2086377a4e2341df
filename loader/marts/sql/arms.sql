-- The arms of every candidate of one experiment, and what they consist of.
with compared as (
    select distinct
        pairs.experiment_id,
        pairs.candidate_group,
        pairs.candidate_version,
        pairs.baseline_experiment_id,
        pairs.baseline_group,
        pairs.baseline_version
    from {evaluation_comparison_view} as pairs
    where pairs.experiment_id = %(experiment_id)s
),

named as (
    select
        compared.candidate_group,
        compared.candidate_version,
        'baseline' as arm,
        compared.baseline_experiment_id as experiment_id,
        compared.baseline_group as experiment_group,
        compared.baseline_version as extension_version
    from compared
    where compared.baseline_group is not null
    union distinct
    select
        compared.candidate_group,
        compared.candidate_version,
        'candidate' as arm,
        compared.experiment_id,
        compared.candidate_group as experiment_group,
        compared.candidate_version as extension_version
    from compared
)

select
    named.candidate_group,
    named.candidate_version,
    named.arm,
    named.experiment_id,
    named.experiment_group,
    named.extension_version,
    count(*) as tasks,
    sum(results.repetitions)::bigint as runs,
    min(results.repetitions) as least_repetitions,
    max(results.repetitions) as most_repetitions,
    array_agg(distinct results.model_version order by results.model_version)
    filter (where results.model_version is not null) as models,
    array_agg(distinct results.dataset_version order by results.dataset_version)
    filter (where results.dataset_version is not null) as dataset_versions
from named
inner join {evaluation_results} as results
    on
        named.experiment_id = results.experiment_id
        and named.experiment_group = results.experiment_group
        and named.extension_version = results.extension_version
group by
    named.candidate_group,
    named.candidate_version,
    named.arm,
    named.experiment_id,
    named.experiment_group,
    named.extension_version
order by
    named.candidate_group,
    named.candidate_version,
    named.arm,
    named.experiment_id,
    named.experiment_group,
    named.extension_version
