{#
    dbt's own, to those of the grantees that the server knows. Found by this
    project's models alone, also where it is a package of another.
#}
{% macro get_grant_sql(relation, privilege, grantees) %}
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


{# What others were granted stays theirs. #}
{% macro should_revoke(existing_relation, full_refresh_mode=true) %}
    {{ return(false) }}
{% endmacro %}
