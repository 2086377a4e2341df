{#
    Where this project is a package of another, refuses to begin with what would
    make other marts of it without a word: a model of the other project of the
    same name, which dbt would read in the place of this project's, and another
    materialization, which the build ledger cannot keep up.
#}
{% macro check_root_project() %}
    {% if execute and not is_own_project() and is_selected() %}
        {% set own = {} %}
        {% for node in graph.nodes.values() if (
            node.package_name == 'evalmart'
            and node.resource_type in ('model', 'seed')
        ) %}
            {% do own.update({node.name: node}) %}
            {% set kept = node.config.materialized %}
            {% set wanted = none %}
            {% if node.config.incremental_strategy == 'replace_experiments' %}
                {% set wanted = 'incremental' %}
            {% elif node.fqn[1] == 'staging' and node.resource_type == 'model' %}
                {% set wanted = 'view' %}
            {% endif %}
            {% if wanted is not none and kept != wanted %}
                {% do exceptions.raise_compiler_error(
                    'evalmart: ' ~ node.name ~ ' has to be of the materialization '
                    ~ wanted ~ ', and dbt_project.yml of ' ~ project_name
                    ~ ' says ' ~ kept ~ ': say +materialized under models: '
                    ~ project_name ~ ':, not of all packages'
                ) %}
            {% endif %}
        {% endfor %}
        {% for node in graph.nodes.values() if (
            node.package_name != 'evalmart'
            and node.resource_type in ('model', 'seed', 'snapshot')
            and node.name in own
        ) %}
            {% set hidden = own[node.name] %}
            {% do exceptions.raise_compiler_error(
                'evalmart: the ' ~ node.resource_type ~ ' ' ~ node.name ~ ' of '
                ~ node.package_name ~ ' (' ~ node.original_file_path
                ~ ') stands in the place of the ' ~ hidden.resource_type
                ~ ' of that name wherever evalmart reads it: rename it; or, if it'
                ~ ' is to replace it, disable that one: '
                ~ hidden.resource_type ~ 's: evalmart: ' ~ node.name
                ~ ': +enabled: false'
            ) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
