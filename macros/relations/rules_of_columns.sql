{# The rules of the columns of whatever a test is attached to. #}
{% macro rules_of_columns() %}
    {% set of_rows = [] %}
    {% set unique = [] %}
    {% if execute %}
        {# a seed in the place of another project's has the rules of that #}
        {% set attached = graph.nodes.get(model.attached_node)
            or graph.nodes[model.depends_on.nodes[0]] %}
        {% for column in attached.columns.values() %}
            {% set name = column.name %}
            {% set told = column.config.meta.rules | default({}) %}
            {% if told.required %}
                {% do of_rows.append({
                    'name': name ~ ' is required',
                    'is_broken': name ~ ' is null',
                }) %}
            {% endif %}
            {% set words = told.get('values', []) %}
            {% if words %}
                {% set list = "'" ~ words | join("', '") ~ "'" %}
                {% do of_rows.append({
                    'name': name ~ ' is one of ' ~ words | join(', '),
                    'is_broken': name ~ ' not in (' ~ list ~ ')',
                }) %}
            {% endif %}
            {% set low = told.get('minimum') %}
            {% set high = told.get('maximum') %}
            {% if low is not none or high is not none %}
                {# NaN is above every number, infinity too #}
                {% set from = low if low is not none else "'-infinity'" %}
                {% set to = high if high is not none else "'infinity'" %}
                {% do of_rows.append({
                    'name': name ~ ' is from ' ~ from | replace("'", '')
                        ~ ' to ' ~ to | replace("'", ''),
                    'is_broken': name ~ ' not between ' ~ from ~ ' and ' ~ to,
                }) %}
            {% endif %}
            {% if told.unique %}
                {% do unique.append(name) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return({'of_rows': of_rows, 'unique': unique}) }}
{% endmacro %}
