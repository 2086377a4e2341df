{# The qualified name of a statistical function of this project. #}
{% macro statistical_function(name) -%}
    {{ marts_schema() }}_functions.{{ name }}
{%- endmacro %}
