{#
    Whether one task, run repeatedly in both arms, broke or was mended by more
    than chance. A run that ended badly without a score did not pass. Passes are
    held against each other by Fisher's exact test (1935), other scores by a
    permutation test (Pitman 1937) over all ways to deal the runs out to the
    arms, from seven runs an arm on by Welch's t: with fewer, scores that sit at
    two levels would fool it. One-sided p-values are mid-p, as the verdict's
    are, and the two-sided ones are adjusted for the tasks of one metric
    (Benjamini and Hochberg 1995). Its steps are macros of macros/pairs.
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "metric",
            "task_id",
        ],
        meta={"settings": ["alpha"]},
    )
}}
{%- set family
    = 'experiment_id, candidate_group, candidate_version, metric' %}

with

metric_pairs as not materialized (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

results_paired as not materialized (
    {{ changed_rows(ref('int_results_paired')) }}
),

{{ repeated_pairs() }},

{{ repeated_values() }},

{{ repeated_tests() }},

stepped as (
    select
        *,
        {{ bh_step('p_value', family) }} as bh_step
    from tested
),

adjusted as (
    select
        *,
        {{ bh_p_value('bh_step', 'p_value', family) }} as p_value_bh
    from stepped
),

found as (
    select
        *,
        coalesce(improvement < 0 and p_value_bh <= {{ var('alpha') }}, false)
            as broke_beyond_chance,
        coalesce(improvement > 0 and p_value_bh <= {{ var('alpha') }}, false)
            as fixed_beyond_chance
    from adjusted
),

{{ repeated_runs() }},

task_comparisons as (
    select
        found.experiment_id,
        found.candidate_group,
        found.candidate_version,
        found.metric,
        found.task_id,
        found.control_experiment_id as baseline_experiment_id,
        found.kind,
        found.direction,
        found.method,
        found.untested_reason,
        case
            when found.broke_beyond_chance or found.fixed_beyond_chance
                then baseline_runs.run_ids
        end as baseline_run_ids,
        case
            when found.broke_beyond_chance or found.fixed_beyond_chance
                then candidate_runs.run_ids
        end as candidate_run_ids,
        found.baseline_runs::integer as baseline_runs,
        found.candidate_runs::integer as candidate_runs,
        found.baseline_passes::integer as baseline_passes,
        found.candidate_passes::integer as candidate_passes,
        found.baseline_value,
        found.candidate_value,
        found.improvement,
        found.p_worse,
        found.p_better,
        found.p_value,
        found.p_value_bh,
        found.is_quarantined,
        found.is_critical,
        found.broke_beyond_chance,
        found.fixed_beyond_chance
    from found
    left join task_runs as baseline_runs
        on
            found.control_experiment_id = baseline_runs.experiment_id
            and found.baseline_result_id = baseline_runs.result_id
    left join task_runs as candidate_runs
        on
            found.experiment_id = candidate_runs.experiment_id
            and found.candidate_result_id = candidate_runs.result_id
)

select * from task_comparisons
