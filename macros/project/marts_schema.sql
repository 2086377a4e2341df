{#
    The schema of the marts, after which the others are named: the target's. Where
    this project is a package of another, that is where the other's own models go,
    and the marts are where the command line looks for them.
#}
{% macro marts_schema() -%}
    {%- if is_own_project() -%}
        {%- do return(target.schema) -%}
    {%- endif -%}
    {%- do return(env_var('EVALMART_SCHEMA', '') or 'evals') -%}
{%- endmacro %}


{# Whether dbt runs this project by itself, and not as a package of another. #}
{% macro is_own_project() -%}
    {%- do return(project_name == 'evalmart') -%}
{%- endmacro %}
