{#
    What there is of a relation, in one question: its `kind` as pg_class has it
    (none: there is nothing), whether it was made of this definition
    (`is_as_defined`), and whether its comments and grants are those that the
    project asks for (`is_dressed`). A view that somebody replaced by hand is not
    as defined; a role that came to the server since the last build lacks its
    grants.

    definition: hash of what the relation is made of; record_relation keeps it.
#}
{% macro relation_state(relation, definition) %}
    {% call statement('relation_state', fetch_result=True) %}
        select
            json_build_object(
                'kind', relations.relkind,
                'is_as_defined',
                coalesce(
                    built.definition_hash = '{{ definition }}'
                    and built.view_hash
                    is not distinct from {{ view_hash('relations') }},
                    false
                ),
                'is_dressed',
                coalesce(built.dress_hash = '{{ dress_hash() }}', false)
                and {{ has_grants('relations') }}
            )::text as relation_state
        from (values (to_regclass('{{ relation }}'))) as wanted (relation_oid)
        left join pg_class as relations
            on wanted.relation_oid = relations.oid
        left join {{ built_relations() }} as built
            on
                built.relation_name = '{{ relation.include(database=false) }}'
                and relations.oid = built.relation_oid
    {% endcall %}
    {{ return(fromjson(load_result('relation_state').data[0][0])) }}
{% endmacro %}


{# The hash of a view as the server has it; null for what is no view. #}
{% macro view_hash(relations) -%}
    case {{ relations }}.relkind
        when 'v' then md5(pg_get_viewdef({{ relations }}.oid))
    end
{%- endmacro %}


{# Whether the grantees that the server knows have what they are granted. #}
{% macro has_grants(relations) -%}
    {% for privilege, grantees in (config.get('grants') or {}).items() -%}
        not exists (
            select
            from pg_roles
            where
                rolname in ('{{ grantees | join("', '") }}')
                and not has_table_privilege(
                    pg_roles.oid, {{ relations }}.oid, '{{ privilege }}'
                )
        )
        and
    {% endfor -%}
    true
{%- endmacro %}


{# The hash of what the model says of comments and grants. #}
{% macro dress_hash() -%}
    {% set comments = {} %}
    {% if config.persist_column_docs() %}
        {% for column in model.columns.values() %}
            {% do comments.update({column.name: column.description}) %}
        {% endfor %}
    {% endif %}
    {% if config.persist_relation_docs() %}
        {% do comments.update({'': model.description}) %}
    {% endif %}
    {% set asked = [comments, config.get('grants') or {}] %}
    {{ return(local_md5(tojson(asked, sort_keys=true))) }}
{%- endmacro %}


{# The hash of a table's columns and constraints, where said, and indexes. #}
{% macro table_hash() -%}
    {{ return(table_hash_of(model)) }}
{%- endmacro %}


{# The same of any node of dbt's graph. #}
{% macro table_hash_of(node) -%}
    {% set columns = [] %}
    {% if node.config.contract.enforced %}
        {% for column in node.columns.values() %}
            {% do columns.append([
                column.name, column.data_type, column.constraints | string
            ]) %}
        {% endfor %}
        {% do columns.append(node.constraints | string) %}
    {% endif %}
    {% set asked = [columns, node.config.indexes or []] %}
    {{ return(local_md5(tojson(asked, sort_keys=true))) }}
{%- endmacro %}
