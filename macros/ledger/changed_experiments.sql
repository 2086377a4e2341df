{#
    The experiments that the current build of this model replaces, as an array:
    `experiment_id = any(<array>)` uses the index on experiment_id whatever the
    statistics say, where a join or `in` may read the whole table.
#}
{% macro changed_experiments() -%}
    array(
        select changes.experiment_id
        from {{ build_changes() }} as changes
        inner join {{ build_watermarks() }} as watermarks
            on
                changes.model = watermarks.model
                and changes.build_number = watermarks.build_number
        where changes.model = '{{ this.identifier }}'
    )
{%- endmacro %}
