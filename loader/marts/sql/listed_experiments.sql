-- Every experiment, a row per candidate; without a candidate, one row.
with experiments as (
    select experiment_id from {arm_summaries}
    group by experiment_id
),

summarised as (
    select
        experiments.experiment_id,
        coalesce(summaries.candidate_group, '') as candidate_group,
        coalesce(summaries.candidate_version, '') as candidate_version,
        summaries.baseline_experiment_id,
        summaries.agent_name,
        summaries.primary_metric,
        summaries.recommendation,
        summaries.recommendation_labels,
        summaries.headline,
        summaries.total_tasks,
        summaries.candidate_wins,
        summaries.baseline_wins,
        summaries.ties,
        summaries.improvement_pct,
        summaries.improvement_low_pct,
        summaries.improvement_high_pct,
        summaries.last_recorded_at
    from experiments
    left join {experiment_summaries} as summaries
        on experiments.experiment_id = summaries.experiment_id
)

select * from summarised
where
    (
        %(search)s::text is null
        or experiment_id ilike %(search)s
        or candidate_version ilike %(search)s
        or candidate_group ilike %(search)s
    )
    and (%(verdict)s::text is null or recommendation = %(verdict)s)
    and (
        %(since)s::timestamptz is null
        or last_recorded_at >= %(since)s::timestamptz
    )
    and (
        %(until)s::timestamptz is null
        or last_recorded_at < %(until)s::timestamptz
    )
    and (
        %(agent)s::text is null
        or agent_name = %(agent)s
        or (
            agent_name is null
            and exists (
                select from {evaluation_results} as results
                where
                    results.experiment_id = summarised.experiment_id
                    and results.agent_name = %(agent)s
            )
        )
    )
