{#
    Regressions whose tasks are looked into: more than chance, because the
    metric's fall is significant after adjustment or an alert was found at the
    version. One version in forty is below alpha with nothing behind it.
#}
with

version_regressions as (
    select *
    from {{ ref('version_regressions') }}
    where
        method in ('paired', 'sign')
        and p_value <= {{ var('alpha') }}
),

comparisons as (
    select *
    from {{ ref('int_version_comparisons') }}
    where comparison = 'previous'
),

-- an accepted version is in two charts
alarms as (
    select distinct
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric
    from {{ ref('int_version_chart') }}
    where is_found
),

believed_regressions as (
    select
        version_regressions.agent_name,
        version_regressions.experiment_group,
        version_regressions.extension_version,
        version_regressions.model_version,
        version_regressions.metric,
        version_regressions.previous_extension_version,
        comparisons.fingerprint,
        -- the way in which the metric went is worse
        (-sign(version_regressions.change))::integer as direction_sign
    from version_regressions
    inner join comparisons
        on
            {{
                is_same_version(
                    'version_regressions', 'comparisons', ['metric']
                )
            }}
    left join alarms
        on {{ is_same_version('version_regressions', 'alarms', ['metric']) }}
    where
        version_regressions.is_significant
        or alarms.agent_name is not null
)

select * from believed_regressions
