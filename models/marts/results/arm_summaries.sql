{{
    config(
        unique_key=["experiment_id", "experiment_group", "extension_version"],
        meta={"settings": ["alpha"]},
    )
}}

with

evaluation_results as (
    {{ changed_rows(ref('evaluation_results')) }}
),

-- floats are added up in one order, or the last digit differs
arms as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        max(pass_metric) as pass_metric,
        count(*)::integer as total_tasks,
        sum(repetitions)::bigint as total_runs,
        count(success_rate)::integer as said_tasks,
        count(pass_at_k)::integer as repeated_tasks,
        count(*) filter (where counted_repetitions > 1)::integer
            as twice_run_tasks,
        count(*) filter (
            where
            counted_repetitions > 1
            and passed_repetitions > 0
            and passed_repetitions < counted_repetitions
        )::integer as flaky_tasks,
        avg(success_rate order by task_id) as success_rate,
        avg(pass_at_k order by task_id) as pass_at_k,
        avg(pass_hat_k order by task_id) as pass_hat_k,
        avg(accuracy order by task_id) as avg_accuracy,
        count(accuracy) as accuracy_tasks
    from evaluation_results
    group by experiment_id, experiment_group, extension_version
),

-- the task is the unit: repetitions of one are no further evidence
bounded as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        pass_metric,
        total_tasks,
        total_runs,
        said_tasks,
        repeated_tasks,
        twice_run_tasks,
        flaky_tasks,
        flaky_tasks::float8 / nullif(twice_run_tasks, 0) as flaky_share,
        {{ statistical_function('wilson_lower') }}(
            flaky_tasks, nullif(twice_run_tasks, 0), {{ var('alpha') }}
        ) as flaky_share_low,
        {{ statistical_function('wilson_upper') }}(
            flaky_tasks, nullif(twice_run_tasks, 0), {{ var('alpha') }}
        ) as flaky_share_high,
        success_rate,
        {{ statistical_function('wilson_lower') }}(
            success_rate * said_tasks, said_tasks, {{ var('alpha') }}
        ) as success_rate_low,
        {{ statistical_function('wilson_upper') }}(
            success_rate * said_tasks, said_tasks, {{ var('alpha') }}
        ) as success_rate_high,
        pass_at_k,
        {{ statistical_function('wilson_lower') }}(
            pass_at_k * repeated_tasks, repeated_tasks, {{ var('alpha') }}
        ) as pass_at_k_low,
        {{ statistical_function('wilson_upper') }}(
            pass_at_k * repeated_tasks, repeated_tasks, {{ var('alpha') }}
        ) as pass_at_k_high,
        pass_hat_k,
        {{ statistical_function('wilson_lower') }}(
            pass_hat_k * repeated_tasks, repeated_tasks, {{ var('alpha') }}
        ) as pass_hat_k_low,
        {{ statistical_function('wilson_upper') }}(
            pass_hat_k * repeated_tasks, repeated_tasks, {{ var('alpha') }}
        ) as pass_hat_k_high,
        avg_accuracy,
        {{ statistical_function('wilson_lower') }}(
            coalesce(avg_accuracy * accuracy_tasks, 0),
            accuracy_tasks,
            {{ var('alpha') }}
        ) as avg_accuracy_low,
        {{ statistical_function('wilson_upper') }}(
            coalesce(avg_accuracy * accuracy_tasks, 0),
            accuracy_tasks,
            {{ var('alpha') }}
        ) as avg_accuracy_high
    from arms
)

select * from bounded
