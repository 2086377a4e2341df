with

evaluator_metrics as (
    select * from {{ ref('evaluator_metrics') }}
),

-- the metric's own name counts as a key of it, unless mapped elsewhere
metric_keys as (
    select
        metric,
        evaluator_key
    from evaluator_metrics
    union distinct
    select
        mapped_metrics.metric,
        mapped_metrics.metric as evaluator_key
    from evaluator_metrics as mapped_metrics
    left join evaluator_metrics as own_keys
        on mapped_metrics.metric = own_keys.evaluator_key
    where own_keys.evaluator_key is null
),

ranked_keys as (
    select
        metric,
        evaluator_key,
        row_number() over (
            partition by metric
            order by evaluator_key != metric, evaluator_key collate "C"
        ) as preference
    from metric_keys
),

preferred_keys as (
    select
        ranked_keys.evaluator_key,
        array_agg(better_keys.evaluator_key) as preferred_keys
    from ranked_keys
    inner join ranked_keys as better_keys
        on
            ranked_keys.metric = better_keys.metric
            and ranked_keys.preference > better_keys.preference
    group by ranked_keys.evaluator_key
),

mapped_keys as (
    select
        evaluator_metrics.evaluator_key,
        evaluator_metrics.metric,
        evaluator_metrics.scale_min,
        evaluator_metrics.scale_max,
        coalesce(preferred_keys.preferred_keys, '{}') as preferred_keys
    from evaluator_metrics
    left join preferred_keys
        on evaluator_metrics.evaluator_key = preferred_keys.evaluator_key
)

select * from mapped_keys
