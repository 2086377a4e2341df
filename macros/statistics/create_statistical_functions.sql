-- sqlfluff:exclude_rules:LT02,ST06
{#
    Returns one statement that creates the statistical functions in a schema, for
    on-run-start. It does nothing when that schema already has these functions,
    told by the fingerprint of their text in the schema's comment, and waits for
    another build that is creating them.

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
{{ statistical_functions_sample_size(schema) }}
{{ statistical_functions_trend(schema) }}
$body$;
    fingerprint constant text
        := 'statistical functions of evalmart ' || md5(body);
    installed text;
begin
    -- 1448496717: any number, the same in every build
    perform pg_advisory_xact_lock(1448496717, hashtext('{{ schema }}'));
    select obj_description(pg_namespace.oid, 'pg_namespace')
    into installed
    from pg_namespace
    where pg_namespace.nspname = '{{ schema }}';
    if installed is distinct from fingerprint then
        create schema if not exists {{ schema }};
        execute body;
        execute format('comment on schema {{ schema }} is %L', fingerprint);
    end if;
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
