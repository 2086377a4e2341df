{#
    How often one of k runs of a task passes, and all of them, for each k: the
    mean over the tasks of an arm that were run k times or more, each without
    bias from all its runs (Chen et al. 2021; Yao et al. 2024). With k the tasks
    may become fewer: `tasks` says how many they are.

    A view: it reads counts that evaluation_results has, and costs a build
    nothing.
#}
{{ config(materialized="view") }}
{%- set largest_k = 32 %}
{%- set arm = 'experiment_id, experiment_group, extension_version' %}

with

evaluation_results as (
    select * from {{ ref('evaluation_results') }}
),

-- tasks with as many runs and passes are alike: few rows stand for all
alike as (
    select
        {{ arm }},
        pass_metric,
        counted_repetitions,
        passed_repetitions,
        count(*) as tasks
    from evaluation_results
    where counted_repetitions > 0
    group by
        {{ arm }}, pass_metric, counted_repetitions, passed_repetitions
),

at_each_k as (
    select
        alike.*,
        runs.k,
        {{ statistical_function('pass_at_k') }}(
            alike.counted_repetitions, alike.passed_repetitions, runs.k
        ) as pass_at_k,
        {{ statistical_function('pass_hat_k') }}(
            alike.counted_repetitions, alike.passed_repetitions, runs.k
        ) as pass_hat_k
    from alike
    cross join
        lateral
        generate_series(1, least(alike.counted_repetitions, {{ largest_k }}))
            as runs (k)
),

-- floats are added up in one order, or the last digit differs
curves as (
    select
        {{ arm }},
        k,
        max(pass_metric) as pass_metric,
        sum(tasks)::integer as tasks,
        sum(
            tasks * pass_at_k
            order by counted_repetitions, passed_repetitions
        ) as passed_once,
        sum(
            tasks * pass_hat_k
            order by counted_repetitions, passed_repetitions
        ) as passed_always
    from at_each_k
    group by {{ arm }}, k
)

select
    {{ arm }},
    k,
    pass_metric,
    tasks,
    passed_once / tasks as pass_at_k,
    {{ statistical_function('wilson_lower') }}(
        passed_once, tasks, {{ var('alpha') }}
    ) as pass_at_k_low,
    {{ statistical_function('wilson_upper') }}(
        passed_once, tasks, {{ var('alpha') }}
    ) as pass_at_k_high,
    passed_always / tasks as pass_hat_k,
    {{ statistical_function('wilson_lower') }}(
        passed_always, tasks, {{ var('alpha') }}
    ) as pass_hat_k_low,
    {{ statistical_function('wilson_upper') }}(
        passed_always, tasks, {{ var('alpha') }}
    ) as pass_hat_k_high
from curves
