-- The judges of a score in a comparison whose runs, anywhere, people scored
-- too. Where nobody scored any, no run is read.
with

agreement as materialized (
    select
        evaluator_key,
        judge_version,
        metric,
        n_labels,
        cohen_kappa_quadratic as kappa,
        bias_between_arms,
        bias_between_arms_low,
        bias_between_arms_high
    from {judge_agreement}
    where metric = %(metric)s and slice_kind = 'all'
),

results as (
    select candidate_result_id as result_id
    from {evaluation_comparison_view}
    where
        experiment_id = %(experiment_id)s
        and candidate_group = %(candidate_group)s
        and candidate_version = %(candidate_version)s
    union distinct
    select baseline_result_id as result_id
    from {evaluation_comparison_view}
    where
        experiment_id = %(experiment_id)s
        and candidate_group = %(candidate_group)s
        and candidate_version = %(candidate_version)s
),

keys as (
    select distinct evaluator_key from agreement
),

judges as (
    select distinct
        keys.evaluator_key,
        coalesce(trials.evaluator_versions ->> keys.evaluator_key, '')
            as judge_version
    from {evaluation_trials} as trials
    inner join results
        on trials.result_id = results.result_id
    inner join keys
        on jsonb_exists(trials.scores, keys.evaluator_key)
    where
        trials.experiment_id = any(%(experiments)s)
        and exists (select from agreement)
)

select agreement.*
from agreement
inner join judges
    on
        agreement.evaluator_key = judges.evaluator_key
        and agreement.judge_version = judges.judge_version
order by agreement.evaluator_key, agreement.judge_version
