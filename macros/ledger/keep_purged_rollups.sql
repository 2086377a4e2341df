{#
    Keeps the daily rollups of purged days, in the transaction that rebuilds
    them. Before the build it copies the rows of the experiments that a purge
    took runs from, up to the day of its cutoff; after it `subtract_live_rollups`
    takes off what is still in raw. What remains is what the purge took, so
    that live rows and kept ones together say what the live ones said before.

    Reads the table as it was, so it also works before a full refresh.
#}
{% macro keep_purged_rollups() %}
    {# named here, so that dbt sees them whichever branch is taken #}
    {% set loads = ref('stg_loads') %}
    {% set load_experiments = ref('stg_load_experiments') %}
    {% if execute and var('keep_purged_rollups') and load_relation(this) %}
        insert into {{ kept_rollups() }} (
            build_number, {{ rollup_columns() | join(', ') }}
        )
        select
            purges.build_number,
            rollups.{{ rollup_columns() | join(', rollups.') }}
        from {{ this }} as rollups
        inner join (
            select
                watermarks.build_number,
                load_experiments.experiment_id,
                max(
                    (
                        (loads.source_ref ->> 'before')::timestamptz
                        at time zone 'UTC'
                    )::date
                ) as last_day
            from {{ build_watermarks() }} as watermarks
            inner join {{ loads }} as loads
                on
                    watermarks.built_load_id < loads.load_id
                    and watermarks.target_load_id >= loads.load_id
            inner join {{ load_experiments }} as load_experiments
                on loads.load_id = load_experiments.load_id
            where
                watermarks.model = '{{ this.identifier }}'
                and loads.source = 'purge'
            group by watermarks.build_number, load_experiments.experiment_id
        ) as purges
            on
                rollups.experiment_id = purges.experiment_id
                and rollups.recorded_on <= purges.last_day
    {% endif %}
{% endmacro %}

{# Takes what is still in raw off the rollups that this build kept. #}
{% macro subtract_live_rollups() %}
    {% if var('keep_purged_rollups') %}
        update {{ kept_rollups() }} as kept
        set
            sample_count = kept.sample_count - live.sample_count,
            value_sum = kept.value_sum - live.value_sum,
            value_sum_of_squares
            = kept.value_sum_of_squares - live.value_sum_of_squares
        from {{ this }} as live, {{ build_watermarks() }} as watermarks
        where
            watermarks.model = '{{ this.identifier }}'
            and kept.build_number = watermarks.build_number
            and {{
                agree_on('kept', 'live', [
                    'experiment_id', 'agent_name', 'experiment_group',
                    'extension_version', 'model_version', 'metric',
                    'recorded_on',
                ])
            }};

        delete from {{ kept_rollups() }} where sample_count <= 0
    {% endif %}
{% endmacro %}

{# The columns that live and kept rollups share. #}
{% macro rollup_columns() %}
    {{ return([
        'experiment_id', 'agent_name', 'experiment_group', 'extension_version',
        'model_version', 'metric', 'kind', 'sample_count', 'value_sum',
        'value_sum_of_squares', 'value_min', 'value_max', 'recorded_on',
    ]) }}
{% endmacro %}
