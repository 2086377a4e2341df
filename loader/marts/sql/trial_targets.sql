-- One row per task and reading of the metric that losses are planted on, and what its gain and
-- those of the other metrics count in the composite: nulls where the verdict has none. A task
-- that lacks a metric counts there with the mean of the others.
create temporary table trial_targets on commit drop as
with

parts as (
    select
        metric,
        improvement_margin,
        greatest(coalesce(weight, 0), 0) as own_weight,
        sum(greatest(coalesce(weight, 0), 0)) over () as all_weights,
        bool_or(coalesce(weight, 0) <= 0) over () as has_weightless_part,
        count(*) over () as n_parts
    from {experiment_segment_comparisons}
    where
        experiment_id = %(experiment_id)s
        and candidate_group = %(candidate_group)s
        and candidate_version = %(candidate_version)s
        and segment_kind = 'agent'
        and segment = %(agent)s
        and improvement is not null
        and improvement_margin > 0
        and (role = 'deciding' or (role = 'guardrail' and weight > 0))
        and n_pairs - case when is_difference_instead then 0 else coalesce(n_ratio_excluded, 0) end
        > 1
),

-- as the composite of the marts weighs them
coefficients as (
    select
        metric,
        case
            when own_weight > 0 and has_weightless_part then 0.5 * own_weight / all_weights
            when own_weight > 0 then own_weight / all_weights
            else 0.5
        end / improvement_margin as coefficient
    from parts
    where n_parts > 1
),

pairs as (
    select
        task,
        unit,
        metric,
        gain,
        avg(gain) over (partition by metric) as mean_gain
    from trial_pairs
    where not counts_missing
),

tasks as (
    select distinct
        task,
        unit
    from trial_pairs
),

means as (
    select distinct
        metric,
        mean_gain
    from pairs
),

rests as (
    select
        tasks.task,
        sum(
            case
                when coefficients.metric != %(metric)s
                    then coefficients.coefficient * coalesce(pairs.gain, means.mean_gain)
            end
        ) as rest,
        max(coefficients.coefficient) filter (where coefficients.metric = %(metric)s)
            as coefficient,
        max(means.mean_gain) filter (where coefficients.metric = %(metric)s) as mean_gain
    from tasks
    cross join coefficients
    inner join means
        on coefficients.metric = means.metric
    left join pairs
        on tasks.task = pairs.task and coefficients.metric = pairs.metric
    group by tasks.task
),

readings as (
    select distinct counts_missing
    from trial_pairs
    where metric = %(metric)s
)

select
    tasks.unit,
    tasks.task,
    count(*) over (partition by tasks.unit, readings.counts_missing) = 1 as is_alone,
    readings.counts_missing,
    targets.kind,
    targets.is_ratio,
    targets.sign,
    targets.unit_of,
    targets.is_binary,
    targets.candidate,
    targets.baseline,
    targets.candidate_scored,
    targets.baseline_scored,
    targets.candidate_share,
    targets.baseline_share,
    targets.gain,
    rests.rest,
    rests.coefficient,
    rests.mean_gain
from tasks
cross join readings
left join trial_pairs as targets
    on
        tasks.task = targets.task
        and readings.counts_missing = targets.counts_missing
        and targets.metric = %(metric)s
left join rests
    on tasks.task = rests.task and not readings.counts_missing
