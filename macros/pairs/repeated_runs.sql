-- sqlfluff:exclude_rules:LT02
{#
    Fourth step, from `found` to `task_runs`: the runs to look at, of tasks that
    broke or were mended beyond chance.
#}
{% macro repeated_runs() -%}
noted_results as materialized (
    select
        control_experiment_id as experiment_id,
        baseline_result_id as result_id
    from found
    where broke_beyond_chance or fixed_beyond_chance
    union distinct
    select
        experiment_id,
        candidate_result_id as result_id
    from found
    where broke_beyond_chance or fixed_beyond_chance
),

task_runs as (
    select
        trials.experiment_id,
        trials.result_id,
        array_agg(
            trials.source_run_id
            order by trials.recorded_at, trials.source_run_id collate "C"
        ) as run_ids
    from {{ ref('evaluation_trials') }} as trials
    inner join noted_results
        on
            trials.experiment_id = noted_results.experiment_id
            and trials.result_id = noted_results.result_id
    where
        trials.experiment_id = any(
            array(select distinct named.experiment_id from noted_results as named)
        )
    group by trials.experiment_id, trials.result_id
)
{%- endmacro %}
