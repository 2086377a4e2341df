{#
    A result's stable id: the MD5 of its key as a JSON array, which nothing in
    a part of the key can confuse.
#}
{% macro result_id(
    experiment_id, task_id, experiment_group, extension_version
) -%}
    md5(
        json_build_array(
            {{ experiment_id }},
            {{ task_id }},
            {{ experiment_group }},
            {{ extension_version }}
        )::text
    )::uuid
{%- endmacro %}
