-- sqlfluff:exclude_rules:LT02
{#
    First step of judge_corrections, from `results_paired`, `metric_pairs`,
    `trial_values` and `readings` to `correction_tasks`: tasks of comparisons in
    which somebody labelled a run, with what the judge and people said of both
    arms. Differences are signed: above 0 is better.

    Joins are by one key each: of several columns of steps, which have no
    statistics, the planner expects one row, and loops over all tasks for each.
    A result's id is of its experiment too, and stands for it.
#}
{% macro correction_tasks() -%}
{%- set comparison = 'experiment_id, candidate_group, candidate_version' -%}
label_means as materialized (
    select
        result_id,
        metric,
        count(*) as n_labels,
        avg(judge_value) as judge_value,
        avg(human_value) as human_value,
        avg(judge_value * human_value)::float8 as both_positive,
        avg((1 - judge_value) * (1 - human_value))::float8 as both_negative,
        bool_and(judge_value in (0, 1) and human_value in (0, 1)) as is_binary
    from readings
    group by result_id, metric
),

paired_results as (
    select
        {{ comparison }},
        candidate_result_id as result_id
    from results_paired
    union all
    select
        {{ comparison }},
        baseline_result_id as result_id
    from results_paired
),

labelled_metrics as materialized (
    select distinct
        label_means.metric,
        json_build_array(
            paired_results.experiment_id,
            paired_results.candidate_group,
            paired_results.candidate_version,
            label_means.metric
        )::text as comparison_key
    from paired_results
    inner join label_means
        on paired_results.result_id = label_means.result_id
),

stacked_values as (
    select
        result_id,
        metric,
        value,
        value in (0, 1) as is_binary,
        0 as n_labels,
        null::numeric as judge_value,
        null::numeric as human_value,
        null::float8 as both_positive,
        null::float8 as both_negative
    from trial_values
    where
        value_source = 'score'
        and value is not null
        and metric = any(
            array(select labelled_metrics.metric from labelled_metrics)
        )
    union all
    select
        result_id,
        metric,
        null as value,
        is_binary,
        n_labels,
        judge_value,
        human_value,
        both_positive,
        both_negative
    from label_means
),

-- of each result what its judge gave, and what labels there are of it
result_values as materialized (
    select
        result_id::text || metric as reading_key,
        avg(value) as value,
        bool_and(is_binary) as is_binary,
        max(n_labels) as n_labels,
        max(judge_value) as judge_value,
        max(human_value) as human_value,
        max(both_positive) as both_positive,
        max(both_negative) as both_negative
    from stacked_values
    group by result_id, metric
    having count(value) > 0
),

labelled_pairs as (
    select
        metric_pairs.*,
        {{ result_id(
            'experiment_id', 'task_id', 'candidate_group', 'candidate_version'
        ) }} as candidate_result_id
    from metric_pairs
    where
        is_comparable
        and json_build_array({{ comparison }}, metric)::text = any(
            array(
                select labelled_metrics.comparison_key from labelled_metrics
            )
        )
),

paired_tasks as (
    select
        pairs.experiment_id,
        pairs.candidate_group,
        pairs.candidate_version,
        pairs.metric,
        coalesce(pairs.cluster_id, pairs.task_id) as cluster_id,
        pairs.direction,
        case pairs.direction when 'lower' then -1 else 1 end
            as direction_sign,
        pairs.candidate_result_id::text || pairs.metric as candidate_key,
        results_paired.baseline_result_id::text || pairs.metric
            as baseline_key
    from labelled_pairs as pairs
    inner join results_paired
        on pairs.candidate_result_id = results_paired.candidate_result_id
),

correction_tasks as materialized (
    select
        tasks.experiment_id,
        tasks.candidate_group,
        tasks.candidate_version,
        tasks.metric,
        tasks.cluster_id,
        tasks.direction,
        tasks.direction_sign,
        candidates.is_binary and baselines.is_binary as is_binary,
        candidates.value::float8 as candidate_judge,
        baselines.value::float8 as baseline_judge,
        {% for arm in ['candidate', 'baseline'] -%}
            {{ arm }}s.human_value::float8 as {{ arm }}_human,
            {{ arm }}s.both_positive as {{ arm }}_both_positive,
            {{ arm }}s.both_negative as {{ arm }}_both_negative,
            {{ arm }}s.n_labels as {{ arm }}_n_labels,
        {% endfor -%}
        (tasks.direction_sign * (candidates.value - baselines.value))::float8
            as judge_gain,
        (
            tasks.direction_sign
            * (candidates.judge_value - baselines.judge_value)
        )::float8 as labelled_judge_gain,
        (
            tasks.direction_sign
            * (candidates.human_value - baselines.human_value)
        )::float8 as human_gain
    from paired_tasks as tasks
    inner join result_values as candidates
        on tasks.candidate_key = candidates.reading_key
    inner join result_values as baselines
        on tasks.baseline_key = baselines.reading_key
)
{%- endmacro %}
