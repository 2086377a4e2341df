{#
    Whether this run is about anything of this project: of its package's run of
    hooks, what another project runs for its own models alone is none.
#}
{% macro is_selected() %}
    {% for unique_id in selected_resources if execute %}
        {% if unique_id.split('.')[1] == 'evalmart' %}
            {{ return(true) }}
        {% endif %}
    {% endfor %}
    {{ return(false) }}
{% endmacro %}
