{#
    Lets analysts look into the marts' schema, and into no other. The role is
    created by `evalmart init`; a server whose administrator did not
    allow it has none, and then there is nobody to grant to.
#}
{% macro grant_schema_usage() %}
    {% if is_selected() %}
        do $$
        begin
            if
                exists (select from pg_roles where rolname = 'evals_analyst')
                and to_regnamespace('{{ adapter.quote(marts_schema()) }}') is not null
            then
                grant usage on schema {{ adapter.quote(marts_schema()) }} to evals_analyst;
            end if;
        end
        $$
    {% endif %}
{% endmacro %}
