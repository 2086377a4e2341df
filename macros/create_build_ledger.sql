{#
    The ledger of incremental builds, two tables:

    build_watermarks: how far each incremental model is built. Written only in
    the transaction that builds the model, so it cannot disagree with it.

    build_changes: which experiments a build replaced. Kept until the model's
    data tests have passed, so that a failed test looks again next time.
#}
{% macro create_build_ledger() %}
    {% if execute %}
        create schema if not exists {{ adapter.quote(target.schema ~ '_staging') }};

        create table if not exists {{ build_watermarks() }} (
            model text primary key,
            build_number bigint not null default 0,
            full_build_number bigint not null default 0,
            tested_build_number bigint not null default 0,
            previous_load_id bigint not null default 0,
            built_load_id bigint not null default 0,
            target_load_id bigint not null default 0,
            from_load_id bigint not null default 0,
            settings_hash text,
            target_settings_hash text,
            started_at timestamptz,
            finished_at timestamptz
        );

        create table if not exists {{ build_changes() }} (
            model text not null,
            build_number bigint not null,
            experiment_id text not null,
            primary key (model, build_number, experiment_id)
        );

        comment on table {{ build_watermarks() }} is
        'One row per incremental model: the load up to which it is built.';

        comment on table {{ build_changes() }} is
        'One row per experiment that a build of a model replaced.';
    {% endif %}
{% endmacro %}
