{#
    The results of the versions that a CTE of the model numbers. Versions and
    tasks are numbers from here on: one integer is sorted and hashed faster than
    five texts.
#}
{% macro results_of_versions(versions) -%}
    select
        evaluation_results.experiment_id,
        evaluation_results.result_id,
        evaluation_results.task_id,
        {{ versions }}.version_number,
        dense_rank() over (order by evaluation_results.task_id) as task_number
    from evaluation_results
    inner join {{ versions }}
        on {{ is_result_of_version('evaluation_results', versions) }}
{%- endmacro %}

{#
    The mean of every task of the CTE wanted_results, metric by metric: the unit
    is the task, whatever number of experiments of a version ran it.
#}
{% macro version_task_means() -%}
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
{%- endmacro %}
