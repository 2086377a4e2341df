{#
    dbt's own names for what is this project's. Hooks, the command line and
    dashboards go by them, so that what another project, of which this is a
    package, makes of its own names is not asked.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set folders = {
        'seed': 'staging',
        'function': 'intermediate',
        'model': node.fqn[1] if node.fqn[1] != 'marts' else none,
    } -%}
    {%- set suffix = folders.get(node.resource_type, custom_schema_name) -%}
    {%- if suffix is none -%}
        {%- do return(marts_schema()) -%}
    {%- endif -%}
    {%- do return(marts_schema() ~ '_' ~ suffix | trim) -%}
{%- endmacro %}


{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- if node.resource_type == 'test' and custom_alias_name is not none -%}
        {%- do return(custom_alias_name | trim) -%}
    {%- endif -%}
    {%- do return(node.name) -%}
{%- endmacro %}


{% macro generate_database_name(custom_database_name=none, node=none) -%}
    {%- do return(target.database) -%}
{%- endmacro %}
