-- sqlfluff:exclude_rules:LT02
{#
    First step of judge_corrections, from `results_paired`, `metric_pairs`,
    `trial_values` and `readings` to `correction_tasks`: tasks of comparisons in
    which somebody labelled a run, with what the judge and people said of both
    arms. Differences are signed: above 0 is better.
#}
{% macro correction_tasks() -%}
label_means as (
    select
        experiment_id,
        result_id,
        metric,
        count(*) as n_labels,
        avg(judge_value) as judge_value,
        avg(human_value) as human_value,
        avg(judge_value * human_value)::float8 as both_positive,
        avg((1 - judge_value) * (1 - human_value))::float8 as both_negative,
        bool_and(judge_value in (0, 1) and human_value in (0, 1)) as is_binary
    from readings
    group by experiment_id, result_id, metric
),

labelled_metrics as materialized (
    select distinct
        results_paired.experiment_id,
        results_paired.candidate_group,
        results_paired.candidate_version,
        label_means.metric
    from results_paired
    inner join label_means
        on
            (
                results_paired.experiment_id = label_means.experiment_id
                and results_paired.candidate_result_id = label_means.result_id
            )
            or (
                results_paired.control_experiment_id
                = label_means.experiment_id
                and results_paired.baseline_result_id = label_means.result_id
            )
),

judge_means as materialized (
    select
        trial_values.experiment_id,
        trial_values.result_id,
        trial_values.metric,
        avg(trial_values.value) as value,
        bool_and(trial_values.value in (0, 1)) as is_binary
    from trial_values
    where
        trial_values.value_source = 'score'
        and trial_values.value is not null
        and trial_values.metric = any(
            array(select labelled_metrics.metric from labelled_metrics)
        )
    group by
        trial_values.experiment_id,
        trial_values.result_id,
        trial_values.metric
),

paired_tasks as (
    select
        labelled_metrics.experiment_id,
        labelled_metrics.candidate_group,
        labelled_metrics.candidate_version,
        labelled_metrics.metric,
        results_paired.task_id,
        results_paired.control_experiment_id,
        results_paired.candidate_result_id,
        results_paired.baseline_result_id,
        coalesce(metric_pairs.cluster_id, results_paired.task_id)
            as cluster_id,
        metric_pairs.direction,
        case metric_pairs.direction when 'lower' then -1 else 1 end
            as direction_sign
    from labelled_metrics
    inner join results_paired
        on {{ is_same_comparison('labelled_metrics', 'results_paired') }}
    inner join metric_pairs
        on
            {{
                is_same_comparison(
                    'results_paired', 'metric_pairs', ['task_id']
                )
            }}
            and labelled_metrics.metric = metric_pairs.metric
    where metric_pairs.is_comparable
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
        candidates.is_binary and baselines.is_binary
        and coalesce(candidate_labels.is_binary, true)
        and coalesce(baseline_labels.is_binary, true) as is_binary,
        candidates.value::float8 as candidate_judge,
        baselines.value::float8 as baseline_judge,
        {% for arm in ['candidate', 'baseline'] -%}
            {{ arm }}_labels.human_value::float8 as {{ arm }}_human,
            {{ arm }}_labels.both_positive as {{ arm }}_both_positive,
            {{ arm }}_labels.both_negative as {{ arm }}_both_negative,
            coalesce({{ arm }}_labels.n_labels, 0) as {{ arm }}_n_labels,
        {% endfor -%}
        (tasks.direction_sign * (candidates.value - baselines.value))::float8
            as judge_gain,
        (
            tasks.direction_sign
            * (candidate_labels.judge_value - baseline_labels.judge_value)
        )::float8 as labelled_judge_gain,
        (
            tasks.direction_sign
            * (candidate_labels.human_value - baseline_labels.human_value)
        )::float8 as human_gain
    from paired_tasks as tasks
    inner join judge_means as candidates
        on
            tasks.experiment_id = candidates.experiment_id
            and tasks.candidate_result_id = candidates.result_id
            and tasks.metric = candidates.metric
    inner join judge_means as baselines
        on
            tasks.control_experiment_id = baselines.experiment_id
            and tasks.baseline_result_id = baselines.result_id
            and tasks.metric = baselines.metric
    left join label_means as candidate_labels
        on
            tasks.experiment_id = candidate_labels.experiment_id
            and tasks.candidate_result_id = candidate_labels.result_id
            and tasks.metric = candidate_labels.metric
    left join label_means as baseline_labels
        on
            tasks.control_experiment_id = baseline_labels.experiment_id
            and tasks.baseline_result_id = baseline_labels.result_id
            and tasks.metric = baseline_labels.metric
)
{%- endmacro %}
