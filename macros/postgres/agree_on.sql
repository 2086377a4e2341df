{# The condition that two relations agree on columns, for a join. #}
{% macro agree_on(left, right, columns) -%}
    {%- for column in columns -%}
        {%- if not loop.first %} and {% endif -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}
    {%- endfor -%}
{%- endmacro %}
