{# The qualified name of a statistical function of this project. #}
{% macro statistical_function(name) -%}
    {{ target.schema }}_functions.{{ name }}
{%- endmacro %}
