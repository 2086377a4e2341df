-- Every task of a candidate, side by side with its baseline.
with tasks as (
    select
        tasks.*,
        case
            when tasks.baseline_passed and not tasks.candidate_passed
                then 'broke'
            when tasks.candidate_passed and not tasks.baseline_passed
                then 'mended'
        end as flip,
        tasks.candidate_latency_ms - tasks.baseline_latency_ms
            as latency_difference_ms,
        tasks.candidate_cost_usd - tasks.baseline_cost_usd
            as cost_difference_usd
    from {evaluation_comparison_view} as tasks
    where
        tasks.experiment_id = %(experiment)s
        and tasks.candidate_group = %(candidate)s
        and tasks.candidate_version = %(version)s
)

select * from tasks
where
    (%(search)s::text is null or task_id ilike %(search)s)
    and case %(show)s::text
        when 'flipped' then flip is not null
        when 'broke' then flip = 'broke'
        when 'mended' then flip = 'mended'
        when 'worse' then winner = 'baseline'
        when 'better' then winner = 'candidate'
        when 'failed' then candidate_success is false
        when 'missing' then not_comparable_reason is not null
        else true
    end
    and (
        %(segment)s::text is null
        or (%(segment_kind)s::text = 'agent' and agent_name = %(segment)s)
        or (
            (%(segment_kind)s::text != 'agent' or agent_name is null)
            and coalesce(candidate_result_id, baseline_result_id) in (
                select results.result_id
                from {evaluation_results} as results
                where
                    results.experiment_id in (
                        %(experiment)s,
                        (
                            select summaries.baseline_experiment_id
                            from {experiment_summaries} as summaries
                            where
                                summaries.experiment_id = %(experiment)s
                                and summaries.candidate_group = %(candidate)s
                                and summaries.candidate_version = %(version)s
                        )
                    )
                    and case %(segment_kind)s::text
                        when 'agent' then results.agent_name = %(segment)s
                        else
                            results.metadata ->> %(segment_kind)s = %(segment)s
                            or jsonb_exists(
                                results.metadata -> %(segment_kind)s,
                                %(segment)s
                            )
                    end
            )
        )
    )
