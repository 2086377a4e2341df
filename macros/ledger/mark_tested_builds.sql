{#
    After a run: an incremental model whose data tests all passed in it, or that
    has none, need not have those rows tested again. A run that was stopped, or
    that left a test out, marks nothing, and the rows stay on the list; so does
    one of no test at all.
#}
{% macro mark_tested_builds(results) %}
    {% if execute %}
        {% set passed = [] %}
        {% for result in results %}
            {% if result.status | string in ('pass', 'warn') %}
                {% do passed.append(result.node.unique_id) %}
            {% endif %}
        {% endfor %}
        {% if not passed %}
            {{ return('') }}
        {% endif %}
        {% set untested = [] %}
        {% set tests = graph.nodes.values()
            | selectattr('resource_type', 'equalto', 'test') %}
        {% for test in tests if test.unique_id not in passed %}
            {% do untested.extend(test.depends_on.nodes) %}
        {% endfor %}
        {% set tested = [] %}
        {% for result in results if result.status | string == 'success' %}
            {% if (
                result.node.package_name == 'evalmart'
                and result.node.config.materialized == 'incremental'
                and result.node.unique_id not in untested
            ) %}
                {% do tested.append(result.node.name) %}
            {% endif %}
        {% endfor %}
        {% if tested %}
            update {{ build_watermarks() }}
            set tested_build_number = build_number
            where model in ('{{ tested | join("', '") }}');

            delete from {{ build_changes() }} as changes
            using {{ build_watermarks() }} as watermarks
            where
                changes.model = watermarks.model
                and changes.build_number <= watermarks.tested_build_number;
        {% endif %}
    {% endif %}
{% endmacro %}
