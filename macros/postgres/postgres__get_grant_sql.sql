{# dbt's grant, to those of the grantees that the server knows. #}
{% macro postgres__get_grant_sql(relation, privilege, grantees) %}
    do $$
    declare
        grantee text;
    begin
        for grantee in
            select rolname::text
            from pg_roles
            where rolname in ('{{ grantees | join("', '") }}')
        loop
            execute format('grant {{ privilege }} on {{ relation }} to %I', grantee);
        end loop;
    end
    $$
{% endmacro %}
