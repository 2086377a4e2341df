select
    sides.arm,
    coalesce(sum(least(results.repetitions, %(planned)s)), 0)::bigint as runs,
    count(*) as tasks
from {evaluation_comparison_view} as pairs
cross join
    lateral (
        values
        ('baseline', pairs.baseline_experiment_id, pairs.baseline_result_id),
        ('candidate', pairs.experiment_id, pairs.candidate_result_id)
    ) as sides (arm, experiment_id, result_id)
inner join {evaluation_results} as results
    on sides.experiment_id = results.experiment_id and sides.result_id = results.result_id
where
    pairs.experiment_id = %(experiment)s
    and pairs.candidate_group = %(group_name)s
    and pairs.candidate_version = %(version)s
    and (%(agent)s::text is null or results.agent_name = %(agent)s)
group by sides.arm
order by sides.arm
