{#
    Two marts that state one fact agree: a summary's counts and averages are
    those of its tasks. A row is a candidate for which they are not.
#}
with

summaries as (
    {{ untested_rows(ref('experiment_summaries')) }}
),

comparisons as (
    {{
        untested_rows(
            ref('evaluation_comparison_view'), 'experiment_summaries'
        )
    }}
),

recounted as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        count(*) as task_count,
        count(*) filter (
            where
            not_comparable_reason = 'no_baseline_result'
            and not is_quarantined
        ) as candidate_only_tasks,
        count(*) filter (
            where
            not_comparable_reason = 'no_candidate_result'
            and not is_quarantined
        ) as baseline_only_tasks,
        count(*) filter (where winner = 'candidate' and not is_quarantined)
            as candidate_wins,
        count(*) filter (where winner = 'baseline' and not is_quarantined)
            as baseline_wins,
        count(*) filter (where winner = 'tie' and not is_quarantined) as ties,
        count(*) filter (where is_quarantined) as quarantined_tasks,
        avg(accuracy_improvement_pct) filter (where not is_quarantined)
            as avg_accuracy_improvement_pct,
        avg(latency_reduction_pct) filter (where not is_quarantined)
            as avg_latency_reduction_pct
    from comparisons
    group by experiment_id, candidate_group, candidate_version
),

mismatched as (
    select
        coalesce(summaries.experiment_id, recounted.experiment_id)
            as experiment_id,
        coalesce(summaries.candidate_group, recounted.candidate_group)
            as candidate_group,
        coalesce(summaries.candidate_version, recounted.candidate_version)
            as candidate_version
    from summaries
    full join recounted
        on
            summaries.experiment_id = recounted.experiment_id
            and summaries.candidate_group = recounted.candidate_group
            and summaries.candidate_version = recounted.candidate_version
    where
        (
            summaries.total_tasks
            + summaries.candidate_only_tasks
            + summaries.baseline_only_tasks
            + summaries.quarantined_tasks
        ) is distinct from recounted.task_count
        or summaries.candidate_only_tasks != recounted.candidate_only_tasks
        or summaries.baseline_only_tasks != recounted.baseline_only_tasks
        or summaries.quarantined_tasks != recounted.quarantined_tasks
        or summaries.candidate_wins != recounted.candidate_wins
        or summaries.baseline_wins != recounted.baseline_wins
        or summaries.ties != recounted.ties
        or (summaries.avg_accuracy_improvement_pct is null)
        != (recounted.avg_accuracy_improvement_pct is null)
        or abs(
            summaries.avg_accuracy_improvement_pct
            - recounted.avg_accuracy_improvement_pct
        )
        > 1e-9 * (1 + abs(recounted.avg_accuracy_improvement_pct))
        or abs(
            summaries.avg_latency_reduction_pct
            - recounted.avg_latency_reduction_pct
        )
        > 1e-9 * (1 + abs(recounted.avg_latency_reduction_pct))
)

select * from mismatched
