-- How many tasks of a candidate there are of each kind that a list can show.
select
    count(*) as every,
    count(*) filter (
        where baseline_passed and not candidate_passed
    ) as broke,
    count(*) filter (
        where candidate_passed and not baseline_passed
    ) as mended,
    count(*) filter (
        where baseline_passed != candidate_passed
    ) as flipped,
    count(*) filter (where winner = 'baseline') as worse,
    count(*) filter (where winner = 'candidate') as better,
    count(*) filter (where candidate_success is false) as failed,
    count(*) filter (where not_comparable_reason is not null) as missing,
    min(baseline_model_version) as baseline_model,
    max(baseline_model_version) as baseline_other_model,
    min(candidate_model_version) as candidate_model,
    max(candidate_model_version) as candidate_other_model,
    min(baseline_group) as baseline_group,
    min(baseline_version) as baseline_version,
    max(baseline_version) as baseline_other_version
from {evaluation_comparison_view}
where
    experiment_id = %(experiment)s
    and candidate_group = %(candidate)s
    and candidate_version = %(version)s
