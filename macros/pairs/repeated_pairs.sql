-- sqlfluff:exclude_rules:LT02
{#
    First step of experiment_task_comparisons, from `metric_pairs` and
    `results_paired` to `repeated_pairs`: scores, and how runs ended, of tasks
    with two runs or more in both arms. Of passes, a run that ended badly
    without a score counts as none.
#}
{% macro repeated_pairs() -%}
counted_runs as (
    select
        *,
        is_binary
        and (baseline_value is not null or candidate_value is not null)
            as has_passes,
        coalesce(baseline_repetitions, 0)
        + case when is_binary then baseline_explained_runs else 0 end
            as counted_baseline_runs,
        coalesce(candidate_repetitions, 0)
        + case when is_binary then candidate_explained_runs else 0 end
            as counted_candidate_runs
    from metric_pairs
    where kind in ('score', 'success') and is_comparable
),

-- of a score of which less is better, 0 is a pass
repeated_pairs as materialized (
    select
        counted_runs.experiment_id,
        counted_runs.candidate_group,
        counted_runs.candidate_version,
        counted_runs.metric,
        counted_runs.task_id,
        results_paired.control_experiment_id,
        results_paired.baseline_result_id,
        results_paired.candidate_result_id,
        counted_runs.kind,
        counted_runs.direction,
        counted_runs.is_quarantined,
        counted_runs.is_critical,
        counted_runs.has_passes,
        counted_runs.counted_baseline_runs as baseline_runs,
        counted_runs.counted_candidate_runs as candidate_runs,
        case
            when not counted_runs.has_passes then null
            when counted_runs.direction = 'lower'
                then round(
                    (1 - coalesce(counted_runs.baseline_value, 1))
                    * coalesce(counted_runs.baseline_repetitions, 0)
                )
            else round(
                coalesce(counted_runs.baseline_value, 0)
                * coalesce(counted_runs.baseline_repetitions, 0)
            )
        end as baseline_passes,
        case
            when not counted_runs.has_passes then null
            when counted_runs.direction = 'lower'
                then round(
                    (1 - coalesce(counted_runs.candidate_value, 1))
                    * coalesce(counted_runs.candidate_repetitions, 0)
                )
            else round(
                coalesce(counted_runs.candidate_value, 0)
                * coalesce(counted_runs.candidate_repetitions, 0)
            )
        end as candidate_passes,
        counted_runs.baseline_value,
        counted_runs.candidate_value,
        counted_runs.baseline_stddev,
        counted_runs.candidate_stddev
    from counted_runs
    inner join results_paired
        on
            {{
                is_same_comparison(
                    'counted_runs', 'results_paired', ['task_id']
                )
            }}
    where
        counted_runs.counted_baseline_runs > 1
        and counted_runs.counted_candidate_runs > 1
        and (
            counted_runs.has_passes
            or (
                counted_runs.baseline_value is not null
                and counted_runs.candidate_value is not null
            )
        )
)
{%- endmacro %}
