-- sqlfluff:exclude_rules:LT02
{#
    First step of bridged_comparisons, from `results_paired`, `metric_pairs`,
    `evaluation_results` and `judgements` to `spans`: the pairs of each
    comparison that a bridge is asked of, with the versions that scored either
    arm; answers that both versions scored; and the improvement less what lies
    between the versions. Differences are signed: above 0 is better.

    Joins are by one key each, as in correction_tasks.
#}
{% macro bridge_pairs() -%}
{%- set comparison = 'experiment_id, candidate_group, candidate_version' -%}
scored_pairs as materialized (
    select
        {{ comparison }},
        metric,
        coalesce(cluster_id, task_id) as cluster_id,
        {{ result_id(
            'experiment_id', 'task_id', 'candidate_group', 'candidate_version'
        ) }} as candidate_result_id,
        case direction when 'lower' then -1 else 1 end as direction_sign,
        is_comparable,
        (
            case direction when 'lower' then -1 else 1 end
            * (candidate_value - baseline_value)
        )::float8 as gain
    from metric_pairs
    where candidate_value is not null and baseline_value is not null
),

conflicting_pairs as (
    select
        scored_pairs.*,
        results_paired.baseline_result_id
    from scored_pairs
    inner join results_paired
        on scored_pairs.candidate_result_id = results_paired.candidate_result_id
    where
        not scored_pairs.is_comparable
        and scored_pairs.metric = any(results_paired.conflicting_metrics)
),

versioned_pairs as (
    select
        pairs.*,
        versions.evaluator_key,
        versions.evaluator_version as baseline_judge_version,
        candidates.evaluator_versions ->> versions.evaluator_key
            as candidate_judge_version
    from conflicting_pairs as pairs
    inner join evaluation_results as candidates
        on pairs.candidate_result_id = candidates.result_id
    inner join evaluation_results as baselines
        on pairs.baseline_result_id = baselines.result_id
    cross join
        lateral
        jsonb_each_text(baselines.evaluator_versions)
            as versions (evaluator_key, evaluator_version)
    left join evaluator_metrics
        on versions.evaluator_key = evaluator_metrics.evaluator_key
    where
        coalesce(evaluator_metrics.metric, versions.evaluator_key)
        = pairs.metric
        and candidates.evaluator_versions ->> versions.evaluator_key
        != versions.evaluator_version
),

asked as materialized (
    select
        {{ comparison }},
        metric,
        min(evaluator_key) as evaluator_key,
        min(baseline_judge_version) as baseline_judge_version,
        min(candidate_judge_version) as candidate_judge_version,
        count(
            distinct (
                evaluator_key, baseline_judge_version, candidate_judge_version
            )
        ) as n_version_pairs
    from versioned_pairs
    group by {{ comparison }}, metric
),

-- pairs that one version scored count as they are
spanned_pairs as materialized (
    select {{ comparison }}, metric, cluster_id, gain, direction_sign,
        false as is_bridged
    from scored_pairs
    where is_comparable
    union all
    select {{ comparison }}, metric, cluster_id, gain, direction_sign,
        true as is_bridged
    from versioned_pairs
),

-- what of the arms has a score, and what a score that is missing could change
coverages as (
    select
        {{ comparison }},
        metric,
        {% for arm in ['baseline', 'candidate'] -%}
            avg(
                least(
                    (coalesce({{ arm }}_repetitions, 0)
                    + {{ arm }}_explained_runs)::float8
                    / greatest({{ arm }}_runs, 1),
                    1
                )
            ) filter (where {{ arm }}_runs > 0) as {{ arm }}_coverage,
            1 - avg(
                coalesce({{ arm }}_repetitions, 0)::float8
                / greatest(coalesce({{ arm }}_repetitions, 0), {{ arm }}_runs)
            ) filter (where {{ arm }}_runs > 0) as {{ arm }}_missing,
        {% endfor -%}
        count(*) filter (
            where candidate_value is not null and baseline_value is not null
        )::float8
        / greatest(count(*), max(planned_tasks)) as paired_share
    from metric_pairs
    group by {{ comparison }}, metric
),

answer_means as (
    select
        answer_key,
        cluster_id,
        evaluator_key,
        metric,
        judge_version,
        avg(value)::float8 as value
    from judgements
    group by answer_key, cluster_id, evaluator_key, metric, judge_version
),

bridge_answers as materialized (
    select
        asked.experiment_id,
        asked.candidate_group,
        asked.candidate_version,
        asked.metric,
        earlier.cluster_id,
        later.value - earlier.value as difference
    from asked
    inner join answer_means as earlier
        on
            asked.evaluator_key = earlier.evaluator_key
            and asked.metric = earlier.metric
            and asked.baseline_judge_version = earlier.judge_version
    inner join answer_means as later
        on
            json_build_array(
                earlier.answer_key,
                asked.evaluator_key,
                asked.metric,
                asked.candidate_judge_version
            )::text
            = json_build_array(
                later.answer_key,
                later.evaluator_key,
                later.metric,
                later.judge_version
            )::text
    where asked.n_version_pairs = 1
),

pair_means as (
    select
        {{ comparison }},
        metric,
        count(*)::float8 as n_pairs,
        count(*) filter (where is_bridged)::float8 as n_bridged_pairs,
        min(direction_sign) as direction_sign,
        avg(gain) as unbridged_improvement
    from spanned_pairs
    group by {{ comparison }}, metric
),

bridge_means as (
    select
        {{ comparison }},
        metric,
        count(*)::float8 as n_bridge_answers,
        count(distinct cluster_id) as n_bridge_tasks,
        avg(difference) as judge_difference
    from bridge_answers
    group by {{ comparison }}, metric
),

spans as materialized (
    select
        asked.*,
        pair_means.n_pairs,
        pair_means.n_bridged_pairs,
        pair_means.direction_sign,
        pair_means.unbridged_improvement,
        coalesce(bridge_means.n_bridge_answers, 0) as n_bridge_answers,
        coalesce(bridge_means.n_bridge_tasks, 0) as n_bridge_tasks,
        least(
            coalesce(coverages.baseline_coverage, 0),
            coalesce(coverages.candidate_coverage, 0),
            coverages.paired_share
        ) as pair_coverage,
        greatest(coverages.baseline_missing, coverages.candidate_missing)
            as missing_share,
        bridge_means.judge_difference,
        pair_means.unbridged_improvement
        - pair_means.direction_sign
        * bridge_means.judge_difference
        * pair_means.n_bridged_pairs
        / pair_means.n_pairs as improvement
    from asked
    inner join pair_means
        on {{ is_same_comparison('asked', 'pair_means', ['metric']) }}
    inner join coverages
        on {{ is_same_comparison('asked', 'coverages', ['metric']) }}
    left join bridge_means
        on {{ is_same_comparison('asked', 'bridge_means', ['metric']) }}
)
{%- endmacro %}
