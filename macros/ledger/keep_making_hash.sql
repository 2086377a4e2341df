{# Keeps by what text a table was made, in the transaction that makes it. #}
{% macro keep_making_hash(relation) %}
    {% set hash = graph.get('making_hashes', {}).get(model.unique_id, '') %}
    {% call statement('keep_making_hash') %}
        update {{ built_relations() }}
        set making_hash = '{{ hash }}'
        where relation_name = '{{ relation.include(database=false) }}'
    {% endcall %}
{% endmacro %}
