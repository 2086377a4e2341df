{{
    config(
        unique_key=["experiment_id", "result_id", "metric"],
        indexes=[{"columns": ["metric", "kind", "experiment_id"]}],
    )
}}

with

trial_values as (
    {{ changed_rows(ref('int_counted_values')) }}
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
    from trial_values
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
)

select * from resolved
