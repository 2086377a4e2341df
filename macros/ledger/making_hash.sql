{#
    Hash of the text by which a model's rows are made: its own, that of the
    models and functions it reads, themselves or by way of others, and that of
    the macros all of these name. By text and not by meaning: a comment counts.
    Seeds and vars are settings_hash's.

    kept: a dict, in which hashes of other nodes are kept between calls.
#}
{% macro making_hash(node, kept) %}
    {% set found = {} %}
    {% do collect_making(node, found, kept) %}
    {% set structure = table_hash_of(node) %}
    {{ return(local_md5(structure ~ ';' ~ found.items() | sort | string)) }}
{% endmacro %}


{% macro collect_making(node, found, kept) %}
    {% if node.unique_id not in kept %}
        {% set texts = {} %}
        {% for macro_id in node.depends_on.macros %}
            {% do collect_macros(macro_id, texts) %}
        {% endfor %}
        {% set text = node.raw_code ~ ';' ~ texts.items() | sort | string %}
        {% do kept.update({node.unique_id: local_md5(text)}) %}
    {% endif %}
    {% do found.update({node.unique_id: kept[node.unique_id]}) %}
    {% for unique_id in node.depends_on.nodes if unique_id not in found %}
        {% set input = graph.nodes.get(unique_id)
            or graph.functions.get(unique_id) %}
        {% if input and input.resource_type in ('model', 'function') %}
            {% do collect_making(input, found, kept) %}
        {% endif %}
    {% endfor %}
{% endmacro %}


{#
    Adds the texts of a macro and of those it calls, as far as they are this
    project's. Who names a statistical function by its name means its body.
#}
{% macro collect_macros(macro_id, texts) %}
    {% set words = macro_id.split('.') %}
    {% set told = context.get(words[1], {}).get(words[2]) %}
    {% if words[1] == 'evalmart' and told and macro_id not in texts %}
        {% do texts.update({macro_id: told.macro.macro_sql}) %}
        {% set meant = ['macro.evalmart.create_statistical_functions']
            if words[2] == 'statistical_function' else [] %}
        {% for called_id in told.macro.depends_on.macros + meant %}
            {% do collect_macros(called_id, texts) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
