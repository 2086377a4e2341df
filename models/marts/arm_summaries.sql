{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=["experiment_id", "experiment_group", "extension_version"],
        pre_hook="{{
            start_build(parents=['evaluation_results'], settings=['alpha'])
        }}",
        post_hook="{{ finish_build() }}",
    )
}}

with

evaluation_results as (
    {{ changed_rows(ref('evaluation_results')) }}
),

arms as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        count(*)::integer as total_tasks,
        sum(repetitions)::bigint as total_runs,
        count(pass_at_k)::integer as repeated_tasks,
        avg(success_rate) as success_rate,
        avg(pass_at_k) as pass_at_k,
        avg(pass_hat_k) as pass_hat_k,
        avg(accuracy) as avg_accuracy,
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
        total_tasks,
        total_runs,
        repeated_tasks,
        success_rate,
        {{ statistical_function('wilson_lower') }}(
            success_rate * total_tasks, total_tasks, {{ var('alpha') }}
        ) as success_rate_low,
        {{ statistical_function('wilson_upper') }}(
            success_rate * total_tasks, total_tasks, {{ var('alpha') }}
        ) as success_rate_high,
        pass_at_k,
        pass_hat_k,
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
