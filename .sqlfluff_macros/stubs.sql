{# What the linter sees in place of macros that need dbt's own context. #}
{% macro changed_rows(relation) %}select * from {{ relation }}{% endmacro %}
{% macro rows_of_experiments(relation, cte, column) %}select {{ relation }}.* from {{ relation }} inner join {{ cte }} on {{ relation }}.experiment_id = {{ cte }}.{{ column }}{% endmacro %}
{% macro untested_rows(relation, model) %}select * from {{ relation }}{% endmacro %}
{% macro function(name) %}{{ name }}{% endmacro %}
{% macro is_in_build(load_id) %}true{% endmacro %}
{% macro current_build_number() %}1{% endmacro %}
{% macro build_watermarks() %}build_watermarks{% endmacro %}
{% macro start_build(parents, seeds, settings, include_linked) %}{% endmacro %}
{% macro finish_build() %}{% endmacro %}
{% macro result_id(experiment_id, task_id, experiment_group, extension_version) %}experiment_id{% endmacro %}
{% macro improvement_pct(baseline, candidate) %}{{ baseline }}{% endmacro %}
{% macro reduction_pct(baseline, candidate) %}{{ baseline }}{% endmacro %}
{% macro version_anchor(partition_by) %}version_sort_key{% endmacro %}
{% macro version_sort_keys(relation) %}select *, 'key' as version_sort_key from {{ relation }}{% endmacro %}
{% macro version_order(direction) %}version_sort_key{% endmacro %}
{% macro statistical_function(name) %}{{ name }}{% endmacro %}
{% macro comparison_flags() %}flags{% endmacro %}
{% macro verdict_findings(alpha, max_degradation_pct, min_mean) %}(1, 'code', true, 'sentence'){% endmacro %}
{% macro weighted_improvement_sentence(alpha) %}'sentence'{% endmacro %}
{% macro display_number(value, digits) %}1::text{% endmacro %}
{% macro display_p_value(value) %}'p'{% endmacro %}
{% macro is_named_as_bad(metric) %}{{ metric }} = 'error'{% endmacro %}
{% macro deciding_metric_order(relation) %}{{ relation }}.metric asc, metrics.position asc{% endmacro %}
{% macro holm_step(p_value, family) %}{{ p_value }}{% endmacro %}
{% macro holm_p_value(step, p_value, family) %}{{ step }}{% endmacro %}
{% macro bh_step(p_value, family) %}{{ p_value }}{% endmacro %}
{% macro bh_p_value(step, p_value, family) %}{{ step }}{% endmacro %}
{% macro regression_severity(change_pct) %}'low'{% endmacro %}
{% macro run_values(relation, keys) %}select *, 'score' as kind, 'field' as value_source, 0 as value, 'accuracy' as metric from {{ relation }}{% endmacro %}
{% macro as_of_experiments() %}as_of_experiments{% endmacro %}
{% macro kept_rollups() %}kept_rollups{% endmacro %}
{% macro keep_purged_rollups() %}{% endmacro %}
{% macro subtract_live_rollups() %}{% endmacro %}
{% macro is_same_version(left, right, more) %}{{ left }}.agent_name = {{ right }}.agent_name{% endmacro %}
{% macro is_result_of_version(results, versions) %}{{ results }}.agent_name = {{ versions }}.agent_name{% endmacro %}
{% macro results_of_versions(versions) %}select {{ versions }}.*, 'r' as result_id, 't' as task_id, 1 as task_number, 'e' as experiment_id from {{ versions }}{% endmacro %}
{% macro version_task_means() %}select *, 'accuracy' as metric, 0 as mean_value from wanted_results{% endmacro %}
