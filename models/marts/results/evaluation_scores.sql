{{
    config(
        unique_key=["experiment_id", "result_id", "metric"],
        indexes=[{"columns": ["metric", "kind", "experiment_id"]}],
    )
}}

with

-- read for results of one run, which need no averages, and for the others
trial_values as not materialized (
    {{ changed_rows(ref('int_counted_values')) }}
),

metric_kinds as (
    select * from {{ ref('int_metric_kinds') }}
),

-- names that a record may have as a score and as something else at once
ambiguous_metrics as materialized (
    select metric
    from trial_values
    where trial_count = 1 and value_source = 'measurement'
    union distinct
    select fields.metric
    from
        (values ('latency_ms'), ('tokens_used'), ('cost_usd'))
            as fields (metric)
    left join metric_kinds
        on fields.metric = metric_kinds.metric
    where coalesce(metric_kinds.kind, 'score') = 'score'
),

lone_values as (
    select
        experiment_id,
        result_id,
        task_id,
        experiment_group,
        extension_version,
        metric,
        kind,
        {{ function('to_double') }}(value) as value,
        null::double precision as value_stddev,
        (value is not null)::integer as repetitions,
        coalesce(value is not null and not success, false)::integer
            as failed_repetitions,
        coalesce(value = 1, false)::integer as passes,
        coalesce(value in (0, 1), true) as is_binary
    from trial_values
    where
        trial_count = 1
        and metric != all(
            array(select ambiguous_metrics.metric from ambiguous_metrics)
        )
),

other_values as (
    select *
    from trial_values
    where trial_count > 1
    union all
    select trial_values.*
    from trial_values
    inner join ambiguous_metrics
        on trial_values.metric = ambiguous_metrics.metric
    where trial_values.trial_count = 1
),

averaged as (
    select
        experiment_id,
        result_id,
        task_id,
        experiment_group,
        extension_version,
        metric,
        kind,
        value_source,
        avg(value) as value,
        stddev_samp(value) as value_stddev,
        count(value) as repetitions,
        count(value) filter (where not success) as failed_repetitions,
        count(value) filter (where value = 1) as passes,
        -- without a value there is none that is not
        coalesce(bool_and(value in (0, 1)), true) as is_binary
    from other_values
    -- the metric early, so that sorting seldom compares what a result implies
    group by
        experiment_id,
        result_id,
        metric,
        value_source,
        kind,
        task_id,
        experiment_group,
        extension_version
),

-- a name that is score and measurement at once counts as the score
resolved as (
    select distinct on (experiment_id, result_id, metric)
        experiment_id,
        result_id,
        task_id,
        experiment_group,
        extension_version,
        metric,
        kind,
        {{ function('to_double') }}(value) as value,
        {{ function('to_double') }}(value_stddev) as value_stddev,
        repetitions::integer as repetitions,
        failed_repetitions::integer as failed_repetitions,
        passes::integer as passes,
        is_binary
    from averaged
    order by
        experiment_id asc,
        result_id asc,
        metric asc,
        array_position(
            array['field', 'score', 'measurement'], value_source
        ) asc
),

all_scores as (
    select * from lone_values
    union all
    select * from resolved
)

select * from all_scores
