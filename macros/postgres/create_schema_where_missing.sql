{#
    Creates a schema that is not there. `create schema if not exists` asks for the
    right to create one also where it is there: a role that was given its schemas
    by an administrator has no such right.
#}
{% macro create_schema_where_missing(schema) %}
    {% set name = adapter.quote(schema) %}
    do $$
    begin
        if to_regnamespace('{{ name }}') is null then
            create schema {{ name }};
        end if;
    end
    $$;
{% endmacro %}
