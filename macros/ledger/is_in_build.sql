{#
    Whether a load is one that evaluation_trials is built from. Loads go on
    while a build runs: they are seen by the next one, whole.
#}
{% macro is_in_build(load_id) -%}
    {{ load_id }} <= (
        select watermarks.target_load_id
        from {{ build_watermarks() }} as watermarks
        where watermarks.model = 'evaluation_trials'
    )
{%- endmacro %}
