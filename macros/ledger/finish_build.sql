-- sqlfluff:exclude_rules:LT02
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
        {{ analysis_if_rewritten(this) }};

        update {{ build_watermarks() }}
        set
            previous_load_id = from_load_id,
            built_load_id = target_load_id,
            settings_hash = target_settings_hash,
            finished_at = clock_timestamp()
        where model = '{{ this.identifier }}'
    {% endif %}
{% endmacro %}
