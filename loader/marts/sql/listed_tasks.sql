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
    and (%(segment)s::text is null or %(segment)s = any(segments))
