-- Every task of a candidate, side by side with its baseline. Without a step
-- before it, so that the first rows come from an index in their order.
select
    tasks.*,
    case
        when tasks.baseline_passed and not tasks.candidate_passed then 'broke'
        when tasks.candidate_passed and not tasks.baseline_passed then 'mended'
    end as flip,
    tasks.candidate_latency_ms - tasks.baseline_latency_ms
        as latency_difference_ms,
    tasks.candidate_cost_usd - tasks.baseline_cost_usd as cost_difference_usd
from {evaluation_comparison_view} as tasks
where
    tasks.experiment_id = %(experiment)s
    and tasks.candidate_group = %(candidate)s
    and tasks.candidate_version = %(version)s
    and (%(search)s::text is null or tasks.task_id ilike %(search)s)
    and case %(show)s::text
        when 'flipped' then tasks.baseline_passed != tasks.candidate_passed
        when 'broke' then tasks.baseline_passed and not tasks.candidate_passed
        when 'mended' then tasks.candidate_passed and not tasks.baseline_passed
        when 'worse' then tasks.winner = 'baseline'
        when 'better' then tasks.winner = 'candidate'
        when 'failed' then tasks.candidate_success is false
        when 'missing' then tasks.not_comparable_reason is not null
        else true
    end
    and (%(segment)s::text is null or %(segment)s = any(tasks.segments))
