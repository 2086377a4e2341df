{#
    Runs of versions in which nothing succeeded, though at the rate of the five
    versions before that would be all but impossible. Windows only: a run is
    the versions that have the same number of successful versions before them.
#}
with

outcomes as (
    select * from {{ ref('int_version_outcomes') }}
),

accepted_changes as (
    select * from {{ ref('accepted_changes') }}
),

sort_keys as materialized (
    {{ version_sort_keys('outcomes') }}
),

counted_versions as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        sum(result_count) as result_count,
        sum(succeeded_count) as succeeded_count,
        min(min(first_recorded_at)) over (
            partition by agent_name, experiment_group, extension_version
        ) as first_seen_at,
        min(first_recorded_at) as first_recorded_at
    from outcomes
    group by agent_name, experiment_group, extension_version, model_version
),

versions as (
    select
        counted_versions.*,
        {{
            version_sort_key_among(
                'sort_keys.version_sort_key',
                'counted_versions.extension_version',
                'counted_versions.agent_name, counted_versions.experiment_group',
            )
        }} as version_sort_key
    from counted_versions
    inner join sort_keys
        on counted_versions.extension_version = sort_keys.extension_version
),

anchored_versions as (
    select
        *,
        {{ version_anchor('agent_name, experiment_group') }} as version_anchor
    from versions
),

ordered_versions as (
    select
        *,
        row_number() over (
            partition by agent_name, experiment_group, model_version
            order by {{ version_order() }}
        ) as place,
        exists(
            select 1
            from accepted_changes
            where
                accepted_changes.extension_version
                = anchored_versions.extension_version
                and accepted_changes.agent_name = anchored_versions.agent_name
                and coalesce(
                    accepted_changes.experiment_group,
                    anchored_versions.experiment_group
                ) = anchored_versions.experiment_group
                and coalesce(accepted_changes.metric, 'success_rate')
                = 'success_rate'
        ) as is_accepted_change
    from anchored_versions
),

numbered_runs as (
    select
        *,
        count(*) filter (where succeeded_count > 0) over (
            partition by agent_name, experiment_group, model_version
            order by place
        ) as run_number
    from ordered_versions
),

successful_versions as (
    select
        agent_name,
        experiment_group,
        model_version,
        run_number,
        sum(succeeded_count) over last_five / sum(result_count) over last_five
            as success_rate,
        lead(extension_version) over in_order as next_version,
        lead(first_recorded_at) over in_order as next_recorded_at
    from numbered_runs
    where succeeded_count > 0
    window
        in_order as (
            partition by agent_name, experiment_group, model_version
            order by place
        ),
        last_five as (in_order rows between 4 preceding and current row)
),

failed_versions as (
    select
        numbered_runs.*,
        successful_versions.success_rate,
        successful_versions.next_version,
        successful_versions.next_recorded_at,
        sum(numbered_runs.result_count) over run_in_order as failed_count,
        count(*) filter (where numbered_runs.is_accepted_change)
            over run_in_order as accepted_count
    from numbered_runs
    inner join successful_versions
        on
            numbered_runs.agent_name = successful_versions.agent_name
            and numbered_runs.experiment_group
            = successful_versions.experiment_group
            and numbered_runs.model_version = successful_versions.model_version
            and numbered_runs.run_number = successful_versions.run_number
    where numbered_runs.succeeded_count = 0
    window
        run_in_order as (
            partition by
                numbered_runs.agent_name,
                numbered_runs.experiment_group,
                numbered_runs.model_version,
                numbered_runs.run_number
            order by numbered_runs.place
        )
),

judged as (
    select
        *,
        -- log of the chance that so many results fail at the former rate
        coalesce(
            failed_count * ln(nullif(1 - success_rate, 0)), '-infinity'
        )::double precision as log_probability
    from failed_versions
),

outages as (
    select
        agent_name,
        experiment_group,
        model_version,
        (array_agg(extension_version order by place))[1] as began_version,
        (
            array_agg(extension_version order by place) filter (
                where log_probability <= ln({{ var('outage_probability') }})
            )
        )[1] as found_version,
        coalesce(
            (
                array_agg(extension_version order by place) filter (
                    where is_accepted_change
                )
            )[1],
            max(next_version)
        ) as ended_version,
        case
            when bool_or(is_accepted_change) then 'accepted'
            when max(next_version) is not null then 'returned'
        end as end_reason,
        count(*) filter (where accepted_count = 0) as version_count,
        max(success_rate)::double precision as level_before,
        min(first_recorded_at) as began_at,
        min(first_recorded_at) filter (
            where log_probability <= ln({{ var('outage_probability') }})
        ) as found_at,
        coalesce(
            min(first_recorded_at) filter (where is_accepted_change),
            max(next_recorded_at)
        ) as ended_at
    from judged
    group by agent_name, experiment_group, model_version, run_number
    having
        min(log_probability) filter (where accepted_count <= 1)
        <= ln({{ var('outage_probability') }})
)

select * from outages
