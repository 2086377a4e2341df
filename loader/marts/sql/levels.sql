with

asked as (
    select * from unnest(%(names)s::text[], %(directions)s::text[]) as asked (metric, direction)
),

results as (
    select
        result_id,
        task_id,
        repetitions,
        failed_repetitions,
        said_repetitions,
        success_rate,
        pass_hat_k,
        pass_at_k,
        metadata ->> 'cluster_id' as cluster_id
    from {evaluation_results}
    where
        experiment_id = %(experiment)s
        and experiment_group = %(group_name)s
        and extension_version = %(version)s
        and (%(agent)s::text is null or agent_name = %(agent)s)
),

scores as (
    select
        result_id,
        metric,
        kind,
        value,
        repetitions
    from {evaluation_scores}
    where
        experiment_id = %(experiment)s
        and experiment_group = %(group_name)s
        and extension_version = %(version)s
        and metric = any(%(names)s)
),

-- tasks on which some arm of the experiment has the metric
scored_tasks as (
    select distinct
        metric,
        task_id
    from {evaluation_scores}
    where experiment_id = %(experiment)s and metric = any(%(names)s)
),

task_values as (
    select
        asked.metric,
        results.task_id,
        results.cluster_id,
        scores.kind,
        scores.value,
        -- a run without the score counts as the worst end of the scale
        case
            when scores.kind is not null and scores.kind != 'score' then scores.value
            else
                (
                    coalesce(scores.value * scores.repetitions, 0)
                    + case when asked.direction = 'lower' then 1 else 0 end
                    * (
                        greatest(results.repetitions, %(planned)s)
                        - coalesce(scores.repetitions, 0)
                    )
                ) / greatest(results.repetitions, %(planned)s)
        end as worst_value
    from asked
    cross join results
    left join scores
        on asked.metric = scores.metric and results.result_id = scores.result_id
    left join scored_tasks
        on asked.metric = scored_tasks.metric and results.task_id = scored_tasks.task_id
    where
        asked.metric != all(%(pseudo)s)
        and (
            scores.value is not null
            or scored_tasks.task_id is not null
            or results.failed_repetitions > 0
        )
    union all
    select
        'success' as metric,
        task_id,
        cluster_id,
        'success' as kind,
        success_rate as value,
        success_rate as worst_value
    from results
    where 'success' = any(%(names)s) and said_repetitions > 0
    union all
    select
        'pass_hat_k' as metric,
        task_id,
        cluster_id,
        'reliability' as kind,
        pass_hat_k as value,
        pass_hat_k as worst_value
    from results
    where 'pass_hat_k' = any(%(names)s) and pass_hat_k is not null
    union all
    select
        'pass_at_k' as metric,
        task_id,
        cluster_id,
        'reliability' as kind,
        pass_at_k as value,
        pass_at_k as worst_value
    from results
    where 'pass_at_k' = any(%(names)s) and pass_at_k is not null
),

-- a measurement that a run lacks is unknown, not bad
kinds as (
    select
        metric,
        max(kind) as kind
    from task_values
    group by metric
),

readings as (
    select
        metric,
        task_id,
        cluster_id,
        'recorded' as reading,
        value
    from task_values
    union all
    select
        task_values.metric,
        task_values.task_id,
        task_values.cluster_id,
        'worst' as reading,
        task_values.worst_value as value
    from task_values
    inner join kinds on task_values.metric = kinds.metric
    where kinds.kind = 'score'
),

clusters as (
    select
        metric,
        reading,
        coalesce('c' || cluster_id, 't' || task_id) as cluster,
        count(*)::float8 as size
    from readings
    where value is not null
    group by metric, reading, coalesce('c' || cluster_id, 't' || task_id)
),

-- tasks of one cluster are no independent evidence: n^2 / sum of n_g^2
sizes as (
    select
        metric,
        reading,
        sum(size) ^ 2 / sum(size ^ 2) as effective
    from clusters
    group by metric, reading
),

moments as (
    select
        metric,
        reading,
        count(value) as n_tasks,
        avg(value) as mean,
        stddev_samp(value) as stddev,
        min(value) >= 0 and max(value) <= 1 as is_share
    from readings
    group by metric, reading
),

spreads as (
    select
        moments.metric,
        moments.reading,
        moments.n_tasks,
        moments.mean,
        sizes.effective,
        kinds.kind in ('score', 'success', 'reliability')
        and moments.is_share and not %(peeking)s as is_exact,
        case
            when %(peeking)s
                then {functions}.confidence_sequence_halfwidth(
                    nullif(moments.stddev, 0), sizes.effective, %(alpha)s, %(planned_tasks)s
                )
            when moments.stddev > 0
                then
                    {functions}.student_t_ppf(
                        1 - %(alpha)s::float8 / 2, nullif(sizes.effective - 1, 0)
                    ) * moments.stddev / sqrt(sizes.effective)
        end as halfwidth
    from moments
    inner join sizes on moments.metric = sizes.metric and moments.reading = sizes.reading
    inner join kinds on moments.metric = kinds.metric
),

bounded as (
    select
        metric,
        reading,
        n_tasks,
        mean,
        case
            when is_exact
                then {functions}.clopper_pearson_lower(
                    least(mean, 1) * effective, effective, %(alpha)s
                )
            else mean - halfwidth
        end as low,
        case
            when is_exact
                then {functions}.clopper_pearson_upper(
                    least(mean, 1) * effective, effective, %(alpha)s
                )
            else mean + halfwidth
        end as high
    from spreads
)

select
    bounded.metric,
    max(bounded.n_tasks) filter (where bounded.reading = 'recorded') as n_tasks,
    max(bounded.mean) filter (where bounded.reading = 'recorded') as mean,
    -- unknown in one reading is unknown
    case when bool_and(bounded.low is not null) then min(bounded.low) end as low,
    case when bool_and(bounded.high is not null) then max(bounded.high) end as high,
    max(kinds.kind) as kind
from bounded
inner join kinds on bounded.metric = kinds.metric
group by bounded.metric
