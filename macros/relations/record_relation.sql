{#
    Keeps in the ledger what a relation was made of, in the transaction that makes
    it; without dress, that its comments and grants are still to be given.
#}
{% macro record_relation(relation, definition) %}
    {% call statement('record_relation') %}
        insert into {{ built_relations() }} (
            relation_name, relation_oid, definition_hash, view_hash, dress_hash
        )
        select
            '{{ relation.include(database=false) }}',
            relations.oid,
            '{{ definition }}',
            {{ view_hash('relations') }},
            '{{ dress_hash() }}'
        from pg_class as relations
        where relations.oid = '{{ relation }}'::regclass
        on conflict (relation_name) do update
        set
            relation_oid = excluded.relation_oid,
            definition_hash = excluded.definition_hash,
            view_hash = excluded.view_hash,
            dress_hash = excluded.dress_hash
    {% endcall %}
{% endmacro %}
