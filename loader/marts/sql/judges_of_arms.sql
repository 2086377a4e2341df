-- The judges whose scores are in a comparison, and their agreement with people.
with

results as (
    select candidate_result_id as result_id
    from {evaluation_comparison_view}
    where
        experiment_id = %(experiment)s
        and candidate_group = %(group_name)s
        and candidate_version = %(version)s
    union distinct
    select baseline_result_id as result_id
    from {evaluation_comparison_view}
    where
        experiment_id = %(experiment)s
        and candidate_group = %(group_name)s
        and candidate_version = %(version)s
),

asked as (
    select *
    from
        unnest(
            %(keys)s::text[], %(metrics)s::text[]
        ) as given (evaluator_key, metric)
),

judges as (
    select distinct
        asked.evaluator_key,
        asked.metric,
        coalesce(trials.evaluator_versions ->> asked.evaluator_key, '')
            as judge_version
    from {evaluation_trials} as trials
    inner join results
        on trials.result_id = results.result_id
    inner join asked
        on jsonb_exists(trials.scores, asked.evaluator_key)
    where trials.experiment_id = any(%(experiments)s)
)

select
    jsonb_build_object(
        'evaluator_key', judges.evaluator_key,
        'judge_version', judges.judge_version,
        'metric', judges.metric,
        'n_labels', coalesce(agreement.n_labels, 0),
        'kappa', agreement.cohen_kappa_quadratic,
        'bias_between_arms', agreement.bias_between_arms,
        'bias_between_arms_low', agreement.bias_between_arms_low,
        'bias_between_arms_high', agreement.bias_between_arms_high
    ) as judge
from judges
left join {judge_agreement} as agreement
    on
        judges.evaluator_key = agreement.evaluator_key
        and judges.judge_version = agreement.judge_version
        and judges.metric = agreement.metric
        and agreement.slice_kind = 'all'
order by judges.metric, judges.evaluator_key, judges.judge_version
