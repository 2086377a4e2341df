{#
    Gives a relation its comments and grants, and keeps in the ledger what it is
    made of. What others were granted stays theirs.
#}
{% macro dress_relation(relation, definition) %}
    {% do apply_grants(relation, config.get('grants'), should_revoke=false) %}
    {% do persist_docs(relation, model) %}
    {% do record_relation(relation, definition) %}
{% endmacro %}
