{#
    Closes what start_build opened, in the same transaction. A build that
    rewrote much of the table leaves fresh statistics behind: the models that
    follow at once would be planned on what the table was before.
#}
{% macro finish_build() %}
    {% if flags.EMPTY %}
        {# dbt build --empty leaves the model without rows: owe it a build. #}
        update {{ build_watermarks() }}
        set built_load_id = 0, settings_hash = null
        where model = '{{ this.identifier }}'
    {% else %}
        do $$
        begin
            if exists (
                select
                from pg_stat_xact_user_tables as written
                inner join pg_class as tables
                    on written.relid = tables.oid
                where
                    written.relid = '{{ this }}'::regclass
                    and written.n_tup_ins > 0.1 * greatest(tables.reltuples, 0)
                    and written.n_tup_ins > 1000
            ) then
                analyze {{ this }};
            end if;
        end
        $$;

        update {{ build_watermarks() }}
        set
            previous_load_id = from_load_id,
            built_load_id = target_load_id,
            settings_hash = target_settings_hash,
            finished_at = clock_timestamp()
        where model = '{{ this.identifier }}'
    {% endif %}
{% endmacro %}
