-- A candidate of which every run failed, and such a baseline: other candidates of the
-- same experiments are left out.
select
    results.experiment_id,
    results.experiment_group,
    results.extension_version,
    sum(results.repetitions)::integer as runs
from {evaluation_results} as results
where
    results.experiment_id = any(%(experiments)s)
    and not exists (
        select from {experiment_summaries} as others
        where
            results.experiment_id = others.experiment_id
            and results.experiment_group = others.candidate_group
            and results.extension_version = others.candidate_version
            and not (
                others.candidate_group = %(candidate_group)s
                and others.candidate_version = %(candidate_version)s
            )
    )
group by
    results.experiment_id, results.experiment_group, results.extension_version
having sum(results.failed_repetitions) = sum(results.repetitions)
order by
    results.experiment_id, results.experiment_group, results.extension_version
