-- sqlfluff:exclude_rules:LT02
{#
    First step of int_metric_pair_moments, from its CTE `metric_pairs` to
    `differences`: each pair of each segment, as recorded and, where a run of a
    score is missing, once more with that run at the worst there is. They are
    numbered and stand in the order of their tasks: floats that are added up in
    another order differ in the last digit.
#}
{% macro moment_readings() -%}
segmented_pairs as not materialized (
    select
        *,
        '' as segment
    from metric_pairs
    union all
    select
        metric_pairs.*,
        pair_segments.segment
    from metric_pairs
    cross join
        lateral
        unnest(metric_pairs.segments) as pair_segments (segment)
    where metric_pairs.segments is not null
),

-- scores that lack a run somewhere
incomplete_scores as (
    select distinct
        experiment_id,
        candidate_group,
        candidate_version,
        metric
    from metric_pairs
    where
        kind = 'score'
        and (
            coalesce(baseline_repetitions, 0) < greatest(baseline_runs, 1)
            or coalesce(candidate_repetitions, 0) < greatest(candidate_runs, 1)
        )
),

-- what is worked out in the parts of a union is not repeated where it is used
recorded_values as (
    select
        *,
        false as counts_missing,
        {{ bounded_value('baseline_value') }} as baseline,
        {{ bounded_value('candidate_value') }} as candidate,
        case
            when kind = 'score' and is_comparable
                then {{ missing_share('baseline') }}
        end as baseline_missing,
        case
            when kind = 'score' and is_comparable
                then {{ missing_share('candidate') }}
        end as candidate_missing
    from segmented_pairs
),

missing_as_worst as (
    select
        segmented_pairs.*,
        true as counts_missing,
        {{ bounded_value(missing_as_worst('baseline')) }} as baseline,
        {{ bounded_value(missing_as_worst('candidate')) }} as candidate,
        null::float8 as baseline_missing,
        null::float8 as candidate_missing
    from segmented_pairs
    inner join incomplete_scores
        on
            {{
                is_same_comparison(
                    'segmented_pairs', 'incomplete_scores', ['metric']
                )
            }}
),

read_values as (
    select * from recorded_values
    union all
    select * from missing_as_worst
),

differences as materialized (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing,
        cluster_id,
        baseline_value is not null as has_baseline,
        candidate_value is not null as has_candidate,
        kind,
        direction,
        whole_segments,
        planned_tasks,
        is_declared,
        is_direction_said,
        is_deciding,
        is_metric_guessed,
        is_evaluator_one_sided,
        is_comparable
        and baseline_value is not null
        and candidate_value is null
            as is_baseline_only,
        is_comparable
        and candidate_value is not null
        and baseline_value is null
            as is_candidate_only,
        not is_comparable as is_incomparable,
        baseline_runs > 0 and candidate_runs > 0 and is_comparable
            as has_both_arms,
        baseline_runs > 0
        and candidate_runs > 0
        and baseline_runs != candidate_runs
            as is_uneven,
        case when is_comparable and candidate is null then baseline end
            as lone_baseline,
        case when is_comparable and baseline is null then candidate end
            as lone_candidate,
        case when is_comparable and candidate is not null then baseline end
            as baseline,
        case when is_comparable and baseline is not null then candidate end
            as candidate,
        case
            when is_comparable
                then {{ pair_difference('baseline', 'candidate') }}
        end as difference,
        case
            when is_comparable
                then {{ pair_log_ratio('kind', 'baseline', 'candidate') }}
        end as log_ratio,
        {{ covered_share('baseline') }} as baseline_covered,
        {{ covered_share('candidate') }} as candidate_covered,
        baseline_missing,
        candidate_missing,
        coalesce(baseline, 0) * (1 - baseline_missing) as baseline_recorded,
        coalesce(candidate, 0) * (1 - candidate_missing) as candidate_recorded,
        case
            when counts_missing then {{ expected_runs('baseline') }}
            else coalesce(baseline_repetitions, 1)
        end as baseline_repetitions,
        case
            when counts_missing then {{ expected_runs('candidate') }}
            else coalesce(candidate_repetitions, 1)
        end as candidate_repetitions,
        {{ variance_of_runs('baseline') }} as baseline_variance,
        {{ variance_of_runs('candidate') }} as candidate_variance,
        row_number() over (order by task_id collate "C") as pair_number
    from read_values
)
{%- endmacro %}
