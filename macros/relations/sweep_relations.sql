{#
    At the end of a run: forgets relations that are gone, and removes what a build
    of before 0.2 left behind when it was ended, tables that a view may still read:
    those stay until it reads others.
#}
{% macro sweep_relations() %}
    {% if is_selected() %}
        delete from {{ built_relations() }} as built
        where not exists (
            select from pg_class where pg_class.oid = built.relation_oid
        );

        do $$
        declare
            leftover record;
        begin
            for leftover in
                select
                    format('%I.%I', schemas.nspname, relations.relname) as name,
                    case relations.relkind when 'v' then 'view' else 'table' end as what
                from pg_class as relations
                inner join pg_namespace as schemas
                    on relations.relnamespace = schemas.oid
                where
                    schemas.nspname in (
                        '{{ marts_schema() }}',
                        '{{ marts_schema() }}_staging',
                        '{{ marts_schema() }}_intermediate'
                    )
                    and relations.relkind in ('r', 'v')
                    and relations.relname like '%\_\_dbt\_backup'
            loop
                begin
                    perform set_config('lock_timeout', '100ms', true);
                    execute format('drop %s %s', leftover.what, leftover.name);
                exception when dependent_objects_still_exist or lock_not_available then
                    null;
                end;
            end loop;
        end
        $$
    {% endif %}
{% endmacro %}
