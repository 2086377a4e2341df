{# What the linter sees in place of macros that need dbt's own context. #}
{% macro changed_rows(relation) %}select * from {{ relation }}{% endmacro %}
{% macro rows_of_experiments(relation, cte, column) %}select {{ relation }}.* from {{ relation }} inner join {{ cte }} on {{ relation }}.experiment_id = {{ cte }}.{{ column }}{% endmacro %}
{% macro untested_rows(relation, model) %}select * from {{ relation }}{% endmacro %}
{% macro function(name) %}{{ name }}{% endmacro %}
{% macro is_in_build(load_id) %}true{% endmacro %}
{% macro is_standing(rows, parts) %}true{% endmacro %}
{% macro is_covered(rows, withdrawals, parts) %}{{ withdrawals }}.load_id > {{ rows }}.load_id{% endmacro %}
{% macro current_build_number() %}1{% endmacro %}
{% macro build_watermarks() %}build_watermarks{% endmacro %}
{% macro result_id(experiment_id, task_id, experiment_group, extension_version) %}experiment_id{% endmacro %}
{% macro improvement_pct(baseline, candidate) %}{{ baseline }}{% endmacro %}
{% macro reduction_pct(baseline, candidate) %}{{ baseline }}{% endmacro %}
{% macro version_anchor(partition_by) %}version_sort_key{% endmacro %}
{% macro version_sort_key_among(sort_key, label, partition_by) %}{{ sort_key }}{% endmacro %}
{% macro version_sort_keys(relation) %}select *, 'key' as version_sort_key from {{ relation }}{% endmacro %}
{% macro version_order(direction) %}version_sort_key{% endmacro %}
{% macro rounding_noise() %}1e-12{% endmacro %}
{% macro largest_number() %}1e30{% endmacro %}
{% macro largest_latency() %}1e12{% endmacro %}
{% macro largest_cost() %}1e9{% endmacro %}
{% macro largest_tokens() %}1000000000000{% endmacro %}
{% macro statistical_function(name) %}{{ name }}{% endmacro %}
{% macro comparison_flags() %}flags{% endmacro %}
{% macro is_named_as_bad(metric) %}{{ metric }} = 'error'{% endmacro %}
{% macro deciding_metric_order(relation) %}{{ relation }}.metric asc, metrics.position asc{% endmacro %}
{% macro holm_step(p_value, family) %}{{ p_value }}{% endmacro %}
{% macro holm_p_value(step, p_value, family) %}{{ step }}{% endmacro %}
{% macro bh_step(p_value, family) %}{{ p_value }}{% endmacro %}
{% macro bh_p_value(step, p_value, family) %}{{ step }}{% endmacro %}
{% macro regression_severity(change_pct) %}'low'{% endmacro %}
{% macro undeclared_keys(relation) %}select experiment_id, 'key' as evaluator_key from {{ relation }}{% endmacro %}
{% macro run_values(relation, keys, undeclared_keys) %}select *, 'score' as kind, 'field' as value_source, 0 as value, 'accuracy' as metric from {{ relation }}{% endmacro %}
{% macro has_no_scale(score_scales, evaluator_key, declared_key) %}({{ score_scales }} = {{ evaluator_key }} and {{ declared_key }} is null){% endmacro %}
{% macro as_of_experiments() %}as_of_experiments{% endmacro %}
{% macro kept_rollups() %}kept_rollups{% endmacro %}
{% macro keep_purged_rollups() %}{% endmacro %}
{% macro subtract_live_rollups() %}{% endmacro %}
{% macro is_same_version(left, right, more) %}{{ left }}.agent_name = {{ right }}.agent_name{% endmacro %}
{% macro delete_gone_versions(relation, more) %}{% endmacro %}
{% macro is_same_series(left, right, more) %}{{ left }}.agent_name = {{ right }}.agent_name{% endmacro %}
{% macro is_same_comparison(left, right, more) %}{{ left }}.experiment_id = {{ right }}.experiment_id{% endmacro %}
{% macro is_result_of_version(results, versions) %}{{ results }}.agent_name = {{ versions }}.agent_name{% endmacro %}
{% macro version_tasks(versions) %}wanted_results as (
    select {{ versions }}.*, 'r' as result_id, 't' as task_id, 1 as task_number, 'e' as experiment_id from {{ versions }}
    inner join rollups
        on {{ versions }}.agent_name = rollups.agent_name
),

task_means as (select *, 'accuracy' as metric, 0 as mean_value from wanted_results){% endmacro %}
{% macro metric_direction(metric, kind, declared_direction, said_direction) %}coalesce({{ declared_direction }}, {{ said_direction }}){% endmacro %}
{% macro said_directions(experiments) %}select * from said{% endmacro %}
{% macro preference_pairs() %}pairs as (select arm_scores.* from arm_scores),

met_tasks as (select pairs.* from pairs),

decided_tasks as (select pairs.* from pairs){% endmacro %}
{% macro bounded_value(value) %}{{ value }}{% endmacro %}
{% macro bounded_square(value) %}{{ value }}{% endmacro %}
{% macro pair_difference(baseline, candidate) %}{{ candidate }}{% endmacro %}
{% macro pair_log_ratio(kind, baseline, candidate) %}{{ candidate }}{% endmacro %}
{% macro expected_runs(arm) %}{{ arm }}_runs{% endmacro %}
{% macro missing_share(arm) %}{{ arm }}_runs{% endmacro %}
{% macro covered_share(arm) %}{{ arm }}_runs{% endmacro %}
{% macro missing_as_worst(arm) %}segmented_pairs.{{ arm }}_value{% endmacro %}
{% macro variance_of_runs(arm) %}{{ arm }}_stddev{% endmacro %}
{% macro p_value_of_own_side() %}improvement{% endmacro %}
{% macro p_value_of_gain(gain) %}({{ gain }}){% endmacro %}
{% macro p_value_of_loss_beyond_margin(gain, gained, lost) %}({{ gain }}){% endmacro %}
{% macro anytime_p_value_of_gain(gain) %}({{ gain }}){% endmacro %}
{% macro anytime_p_value_of_loss_beyond_margin() %}improvement{% endmacro %}
{% macro estimate_errors() %}methods as (select moments.* from moments){% endmacro %}
{% macro estimate_intervals() %}intervals as (select methods.* from methods){% endmacro %}
{% macro estimate_tests() %}tests as (select intervals.* from intervals){% endmacro %}
{% macro estimate_plans() %}requirements as (select tests.* from tests){% endmacro %}
{% macro moment_readings() %}differences as (select metric_pairs.* from metric_pairs){% endmacro %}
{% macro moment_centres() %}centres as (select differences.* from differences){% endmacro %}
{% macro moment_clusters() %}totals as (select centres.* from centres){% endmacro %}
{% macro pair_tasks() %}tasks as (
    select evaluation_results.* from evaluation_results
    inner join results_paired
        on evaluation_results.experiment_id = results_paired.experiment_id
    left join arm_plans
        on evaluation_results.experiment_id = arm_plans.experiment_id
){% endmacro %}
{% macro pair_segments() %}segments as (select tasks.* from tasks){% endmacro %}
{% macro pair_scores() %}recorded_pairs as (select evaluation_scores.* from evaluation_scores){% endmacro %}
{% macro pair_outcomes() %}outcome_pairs as (select tasks.* from tasks){% endmacro %}
{% macro arm_deciding_metrics() %}primary_metrics as (
    select evaluation_scores.* from evaluation_scores
    inner join metrics
        on evaluation_scores.metric = metrics.metric
){% endmacro %}
{% macro arm_baselines() %}arms as (select candidates.*, 'experiment' as control_experiment_id from candidates inner join experiment_baselines on candidates.experiment_id = experiment_baselines.experiment_id){% endmacro %}
{% macro arm_controls() %}version_controls as (select controls.* from controls),

latest_controls as (select version_controls.* from version_controls),

control_tasks as (select arms.* from arms){% endmacro %}
{% macro evaluator_differences() %}evaluator_conflicts as (
    select pairs.* from pairs
    inner join evaluator_metrics
        on pairs.metric = evaluator_metrics.metric
),

one_sided_scores as (select pairs.* from pairs){% endmacro %}
{% macro shown_improvement(improvement) %}{{ improvement }}{% endmacro %}
{% macro unpaired_code() %}'code'{% endmacro %}
{% macro unpaired_headline() %}'sentence'{% endmacro %}
{% macro verdict_settings() %}{% endmacro %}
{% macro create_judge() %}{% endmacro %}
{% macro create_judge_readings() %}{% endmacro %}
{% macro verdict_rule(settings) %}verdicts as (
    select composites.* from composites
){% endmacro %}
{% macro agree_on(left, right, columns) %}{{ left }}.experiment_id = {{ right }}.experiment_id{% endmacro %}
{% macro agreement_slices() %}means as (select readings.* from readings){% endmacro %}
{% macro agreement_kappas() %}kappas as (select means.* from means){% endmacro %}
{% macro agreement_alphas() %}alphas as (select means.* from means){% endmacro %}
{% macro agreement_biases() %}biases as (select means.* from means),

people as (select means.* from means){% endmacro %}
{% macro correction_tasks() %}correction_tasks as (
    select results_paired.* from results_paired
    inner join metric_pairs
        on results_paired.experiment_id = metric_pairs.experiment_id
    inner join trial_values
        on results_paired.experiment_id = trial_values.experiment_id
    inner join readings
        on results_paired.experiment_id = readings.experiment_id
){% endmacro %}
{% macro correction_powered() %}powered as (select correction_tasks.* from correction_tasks){% endmacro %}
{% macro correction_rogan_gladen() %}rogan_gladen as (select correction_tasks.* from correction_tasks){% endmacro %}
{% macro bridge_pairs() %}spans as (
    select results_paired.* from results_paired
    inner join metric_pairs
        on results_paired.experiment_id = metric_pairs.experiment_id
    inner join evaluation_results
        on results_paired.experiment_id = evaluation_results.experiment_id
    inner join evaluator_metrics
        on metric_pairs.metric = evaluator_metrics.metric
    inner join judgements
        on metric_pairs.metric = judgements.metric
){% endmacro %}
{% macro bridge_errors() %}errors as (select spans.* from spans){% endmacro %}
{% macro other_readings(columns) %}readings as (select * from recorded_evidence),

evidence as (select * from recorded_evidence){% endmacro %}
{% macro segment_name(kind, name) %}{{ kind }} || {{ name }}{% endmacro %}
{% macro label_names(label) %}jsonb_array_elements_text({{ label }}) as names (name, place){% endmacro %}
{% macro is_segment_name() %}names.name != ''{% endmacro %}
{% macro quarantined_tasks() %}quarantined_tasks as (select pairs.*, quarantine.reason from pairs inner join quarantine on pairs.task_id = quarantine.task_id){% endmacro %}
{% macro quarantined_metrics() %}quarantined_metrics as (select * from int_metric_pairs),

quarantined_critical as (select * from quarantined_metrics){% endmacro %}
{% macro repeated_pairs() %}repeated_pairs as (
    select metric_pairs.* from metric_pairs
    inner join results_paired
        on metric_pairs.experiment_id = results_paired.experiment_id
){% endmacro %}
{% macro repeated_values() %}repeated_values as (select * from repeated_pairs){% endmacro %}
{% macro repeated_tests() %}tested as (
    select repeated_pairs.* from repeated_pairs
    inner join repeated_values
        on repeated_pairs.experiment_id = repeated_values.experiment_id
){% endmacro %}
{% macro repeated_runs() %}task_runs as (select * from found){% endmacro %}
{% macro task_outcomes() %}outcomes as (
    select evaluation_results.* from evaluation_results
    inner join evaluation_scores
        on evaluation_results.experiment_id = evaluation_scores.experiment_id
){% endmacro %}
{% macro anchored_versions() %}anchored_versions as (
    select seen_versions.* from seen_versions
    inner join sort_keys
        on seen_versions.extension_version = sort_keys.extension_version
){% endmacro %}
{% macro task_sequences() %}sequences as (
    select counted_values.* from counted_values
    inner join evaluation_trials
        on counted_values.experiment_id = evaluation_trials.experiment_id
){% endmacro %}
