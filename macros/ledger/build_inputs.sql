{#
    What the rows of a model are made of: `parents`, the models of the ledger,
    and `seeds`, that it reads itself or by way of views. Of a view that reads
    seeds and nothing else what it shows counts, not the seeds: an edit of
    another column changes nothing. Asked of dbt's graph, since what a list
    forgets would leave a mart stale and nobody would know.
    A table that the ledger does not keep is an error: no build could tell which
    of its rows have changed.
#}
{% macro build_inputs(node) %}
    {% set inputs = {'parents': {}, 'seeds': {}} %}
    {% do collect_build_inputs(node, inputs) %}
    {% do return({
        'parents': inputs.parents.values() | sort,
        'seeds': inputs.seeds.values() | sort,
    }) %}
{% endmacro %}


{% macro collect_build_inputs(node, inputs) %}
    {% for unique_id in node.depends_on.nodes if unique_id in graph.nodes %}
        {% set input = graph.nodes[unique_id] %}
        {% if input.resource_type == 'seed' %}
            {% do inputs.seeds.update({unique_id: input.relation_name}) %}
        {% elif shows_seeds_alone(input) %}
            {% do inputs.seeds.update({unique_id: input.relation_name}) %}
        {% elif input.config.incremental_strategy == 'replace_experiments' %}
            {% do inputs.parents.update({unique_id: input.alias}) %}
        {% elif input.config.materialized in ['view', 'ephemeral'] %}
            {% do collect_build_inputs(input, inputs) %}
        {% else %}
            {% do exceptions.raise_compiler_error(
                node.name ~ ' reads ' ~ input.name ~ ', whose rows the build '
                ~ 'ledger does not keep: make ' ~ input.name ~ ' a view, or '
                ~ 'incremental with the strategy replace_experiments'
            ) %}
        {% endif %}
    {% endfor %}
{% endmacro %}


{% macro shows_seeds_alone(node) %}
    {% set kinds = {} %}
    {% for unique_id in node.depends_on.nodes %}
        {% do kinds.update({unique_id.split('.')[0]: unique_id}) %}
    {% endfor %}
    {% do kinds.pop('function', none) %}
    {% do return(
        node.config.materialized == 'view' and kinds.keys() | list == ['seed']
    ) %}
{% endmacro %}
