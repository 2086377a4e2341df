{#
    The ledger of builds, five tables:

    build_watermarks: how far each incremental model is built. Written only in
    the transaction that builds the model, so it cannot disagree with it.

    build_changes: which experiments a build replaced. Kept until the model's
    data tests have passed, so that a failed test looks again next time.

    built_relations: what each relation was made of, so that a build leaves alone
    what it would make again as it is.

    build_stamps: what the last build was made of, if it was of everything and
    ended well.

    kept_rollups: daily rollups of purged days, where the var
    keep_purged_rollups asks for them. Here, because no model can make them
    again from raw.
#}
{% macro create_build_ledger() %}
    {% if is_selected() %}
        -- `if not exists` asks for the right to create one that is there
        do $$
        begin
            if to_regnamespace('{{ adapter.quote(marts_schema() ~ '_staging') }}') is null then
                create schema {{ adapter.quote(marts_schema() ~ '_staging') }};
            end if;
        end
        $$;

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

        create table if not exists {{ built_relations() }} (
            relation_name text primary key,
            relation_oid oid not null,
            definition_hash text not null,
            view_hash text,
            dress_hash text not null,
            making_hash text
        );

        {# a ledger of before 0.2: its tables are made anew, once #}
        do $$
        begin
            if not exists (
                select
                from pg_attribute
                where
                    attrelid = '{{ built_relations() }}'::regclass
                    and attname = 'making_hash'
            ) then
                alter table {{ built_relations() }} add column making_hash text;
            end if;
        end
        $$;

        create table if not exists {{ build_stamps() }} (
            build_id bigint not null,
            inputs_hash text not null,
            raw_state text not null,
            warned integer not null,
            finished_at timestamptz not null default clock_timestamp()
        );

        create table if not exists {{ kept_rollups() }} (
            build_number bigint not null,
            experiment_id text not null,
            agent_name text not null,
            experiment_group text not null,
            extension_version text not null,
            model_version text not null,
            metric text not null,
            kind text not null,
            sample_count bigint not null,
            value_sum numeric not null,
            value_sum_of_squares numeric not null,
            value_min double precision not null,
            value_max double precision not null,
            recorded_on date not null
        );

        comment on table {{ build_watermarks() }} is
        'One row per incremental model: the load up to which it is built.';

        comment on table {{ build_changes() }} is
        'One row per experiment that a build of a model replaced.';

        comment on table {{ built_relations() }} is
        'One row per relation that a build made: hashes of what of.';

        comment on table {{ build_stamps() }} is
        'At most one row: hashes of what the last whole build was made of.';

        comment on table {{ kept_rollups() }} is
        'One row per rollup of int_daily_rollups that a purge took runs from.';
    {% endif %}
{% endmacro %}
