{#
    Closes what start_build opened, in the same transaction. A table that was
    built in full is analysed, since the next build may come before autovacuum.
#}
{% macro finish_build() %}
    {% if flags.EMPTY %}
        {# dbt build --empty leaves the model without rows: owe it a build. #}
        update {{ build_watermarks() }}
        set built_load_id = 0, settings_hash = null
        where model = '{{ this.identifier }}'
    {% else %}
        update {{ build_watermarks() }}
        set
            previous_load_id = from_load_id,
            built_load_id = target_load_id,
            settings_hash = target_settings_hash,
            finished_at = clock_timestamp()
        where model = '{{ this.identifier }}';

        do $$
        begin
            if exists (
                select
                from {{ build_watermarks() }}
                where
                    model = '{{ this.identifier }}'
                    and build_number = full_build_number
            ) then
                analyze {{ this }};
            end if;
        end
        $$
    {% endif %}
{% endmacro %}
