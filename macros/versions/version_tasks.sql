-- sqlfluff:exclude_rules:LT02
{#
    From numbered versions to the mean of each of their tasks, as CTEs, of the
    experiments that ran them: those of the CTE `rollups`. They end in
    `wanted_results` and `task_means`. Versions and tasks are numbers from here
    on: one integer is sorted and hashed faster than five texts.

    The unit is the task, whatever number of experiments of a version ran it.
#}
{% macro version_tasks(versions) -%}
wanted_experiments as (
    select distinct rollups.experiment_id
    from rollups
    inner join {{ versions }}
        on {{ is_same_version('rollups', versions) }}
),

evaluation_results as (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

evaluation_scores as (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

wanted_results as (
    select
        evaluation_results.experiment_id,
        evaluation_results.result_id,
        evaluation_results.task_id,
        {{ versions }}.version_number,
        dense_rank() over (order by evaluation_results.task_id) as task_number
    from evaluation_results
    inner join {{ versions }}
        on {{ is_result_of_version('evaluation_results', versions) }}
),

task_means as (
    select
        wanted_results.version_number,
        wanted_results.task_number,
        evaluation_scores.metric,
        min(wanted_results.task_id) as task_id,
        avg(evaluation_scores.value::numeric) as mean_value
    from wanted_results
    inner join evaluation_scores
        on
            wanted_results.experiment_id = evaluation_scores.experiment_id
            and wanted_results.result_id = evaluation_scores.result_id
    where evaluation_scores.value is not null
    group by
        wanted_results.version_number,
        wanted_results.task_number,
        evaluation_scores.metric
)
{%- endmacro %}
