select
    baseline_experiment_id as experiment_id,
    baseline_group as experiment_group,
    baseline_version as extension_version
from {evaluation_comparison_view}
where
    experiment_id = %(experiment_id)s
    and candidate_group = %(candidate_group)s
    and candidate_version = %(candidate_version)s
    and baseline_result_id is not null
group by baseline_experiment_id, baseline_group, baseline_version
order by count(*) desc, baseline_group asc, baseline_version asc
limit 1
