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
{% macro version_order(direction) %}version_sort_key{% endmacro %}
