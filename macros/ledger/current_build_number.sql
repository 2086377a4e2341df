{# The number of this model's build that is under way. #}
{% macro current_build_number() -%}
    (
        select watermarks.build_number
        from {{ build_watermarks() }} as watermarks
        where watermarks.model = '{{ this.identifier }}'
    )
{%- endmacro %}
