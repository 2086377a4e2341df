-- sqlfluff:exclude_rules:LT02,ST06
{#
    Returns one statement that creates the statistical functions in a schema, for
    on-run-start. It does nothing when that schema already has these functions,
    told by the fingerprint of their text in the schema's comment. Two builds that
    create them at once: the later waits for the earlier by the catalogue's own
    locks, is refused, and finds them there. (An advisory lock is anyone's to take.)

    Plain SQL throughout: PostgreSQL 15 to 18 give the same digits.
#}
{% macro create_statistical_functions(schema) %}
do $create$
declare
    body constant text := $body$
{{ statistical_functions_arithmetic(schema) }}
{{ statistical_functions_normal(schema) }}
{{ statistical_functions_gamma(schema) }}
{{ statistical_functions_beta(schema) }}
{{ statistical_functions_student_t(schema) }}
{{ statistical_functions_binomial(schema) }}
{{ statistical_functions_paired_proportions(schema) }}
{{ statistical_functions_anytime(schema) }}
{{ statistical_functions_repeated_runs(schema) }}
{{ statistical_functions_single_tasks(schema) }}
{{ statistical_functions_sample_size(schema) }}
{{ statistical_functions_trend(schema) }}
$body$;
    fingerprint constant text
        := 'statistical functions of evalmart ' || md5(body);
    installed text;
    attempts integer := 0;
begin
    loop
        select obj_description(pg_namespace.oid, 'pg_namespace')
        into installed
        from pg_namespace
        where pg_namespace.nspname = '{{ schema }}';
        exit when installed is not distinct from fingerprint;
        begin
            -- one that is there may be an administrator's gift
            if to_regnamespace('{{ schema }}') is null then
                create schema {{ schema }};
            end if;
            execute body;
            execute format('comment on schema {{ schema }} is %L', fingerprint);
            exit;
        exception
            -- internal_error: tuple concurrently updated
            when unique_violation or duplicate_schema or internal_error then
                attempts := attempts + 1;
                if attempts = 20 then
                    raise;
                end if;
                perform pg_sleep(0.1);
        end;
    end loop;
    if
        exists (
            select from pg_roles where rolname = 'evals_analyst'
        )
        and not has_schema_privilege('evals_analyst', '{{ schema }}', 'usage')
    then
        -- functions are executable by everyone who may use their schema
        grant usage on schema {{ schema }} to evals_analyst;
    end if;
end
$create$
{% endmacro %}
