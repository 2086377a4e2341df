-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `repeated_pairs` to `repeated_values`: the single values
    of scores that are more than passed or not, where the ways to deal them out
    are few enough to go through. Experiments without such a score are not read.
#}
{% macro repeated_values() -%}
valued_pairs as (
    select *
    from repeated_pairs
    where
        not has_passes
        and {{ statistical_function('log_choose') }}(
            baseline_runs + candidate_runs, baseline_runs
        ) <= ln(1000.5)
),

valued_results as (
    select
        control_experiment_id as experiment_id,
        baseline_result_id as result_id,
        metric
    from valued_pairs
    union distinct
    select
        experiment_id,
        candidate_result_id as result_id,
        metric
    from valued_pairs
),

repeated_values as materialized (
    select
        valued_results.experiment_id,
        valued_results.result_id,
        valued_results.metric,
        array_agg(
            {{ function('to_double') }}(counted_values.value)
            order by counted_values.value
        ) as run_values
    from valued_results
    inner join {{ ref('int_counted_values') }} as counted_values
        on
            valued_results.experiment_id = counted_values.experiment_id
            and valued_results.result_id = counted_values.result_id
            and valued_results.metric = counted_values.metric
    where
        counted_values.experiment_id = any(
            array(select distinct named.experiment_id from valued_results as named)
        )
        and counted_values.kind = 'score'
        and counted_values.value is not null
    group by
        valued_results.experiment_id,
        valued_results.result_id,
        valued_results.metric
)
{%- endmacro %}
