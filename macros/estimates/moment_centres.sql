-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `differences` to `centres`: the first pass over the pairs,
    which counts them and finds the means.
#}
{% macro moment_centres() -%}
grouped as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing,
        max(whole_segments) as whole_segments,
        min(kind) as kind,
        min(direction) as direction,
        max(planned_tasks) as n_planned_tasks,
        bool_or(is_declared) as is_declared,
        bool_or(is_direction_said) as is_direction_said,
        bool_or(is_deciding) as is_deciding,
        bool_or(is_deciding and is_metric_guessed) as is_metric_guessed,
        bool_or(is_evaluator_one_sided) as is_evaluator_one_sided,
        bool_or(is_uneven) as has_uneven_repetitions,
        bool_and(not has_baseline) or bool_and(not has_candidate)
            as is_in_one_arm,
        count(*) as n_tasks,
        count(difference) as n_pairs,
        count(*) filter (where is_baseline_only) as n_baseline_only,
        count(*) filter (where is_candidate_only) as n_candidate_only,
        count(*) filter (where is_incomparable) as n_incomparable,
        count(*) filter (where has_both_arms) as n_shared_tasks,
        count(baseline_covered) as n_baseline_tasks,
        count(candidate_covered) as n_candidate_tasks,
        count(log_ratio) as n_ratio_pairs,
        sum(baseline_covered) as baseline_covered,
        sum(candidate_covered) as candidate_covered,
        sum(baseline_missing) as baseline_missing,
        sum(candidate_missing) as candidate_missing,
        sum(baseline_recorded) as baseline_recorded,
        sum(candidate_recorded) as candidate_recorded,
        sum(lone_baseline) as lone_baseline_sum,
        sum(lone_candidate) as lone_candidate_sum,
        sum(baseline) as baseline_sum,
        sum(candidate) as candidate_sum,
        sum(difference) as difference_sum,
        sum(log_ratio) as log_ratio_sum,
        max(abs(baseline)) as baseline_scale,
        max(abs(candidate)) as candidate_scale
    from differences
    group by
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing
),

metric_ties as (
    select * from {{ ref('int_metric_ties') }}
),

centres as (
    select
        grouped.*,
        -- one integer is hashed and compared faster than four texts
        row_number() over () as comparison_number,
        case when grouped.direction = 'lower' then -1 else 1 end
            as direction_sign,
        coalesce(metric_ties.tie_margin, 0)::float8 as tie_width,
        grouped.baseline_sum / nullif(grouped.n_pairs, 0) as baseline_mean,
        grouped.candidate_sum / nullif(grouped.n_pairs, 0) as candidate_mean,
        grouped.difference_sum / nullif(grouped.n_pairs, 0) as mean_difference,
        grouped.log_ratio_sum / nullif(grouped.n_ratio_pairs, 0)
            as mean_log_ratio,
        greatest(grouped.baseline_scale, grouped.candidate_scale) as scale
    from grouped
    left join metric_ties
        on grouped.metric = metric_ties.metric
)
{%- endmacro %}
