{{
    config(
        unique_key=[
            "experiment_id",
            "experiment_group",
            "extension_version",
            "field",
            "reason",
        ],
    )
}}

with

evaluation_trials as (
    {{ changed_rows(ref('evaluation_trials')) }}
),

evaluator_metrics as (
    select * from {{ ref('evaluator_metrics') }}
),

not_taken as (
    select
        trials.experiment_id,
        trials.experiment_group,
        trials.extension_version,
        asides.field,
        case
            when asides.field like 'scores.%'
                then
                    case
                        when
                            abs(asides.set_aside_value::numeric)
                            > {{ largest_number() }}
                            then 'out_of_range'
                        else 'off_scale'
                    end
            when
                asides.field like 'measurements.%'
                or asides.set_aside_value::numeric > 0
                then 'out_of_range'
            else 'negative'
        end as reason,
        {{ function('to_double') }}(asides.set_aside_value::numeric) as value
    from evaluation_trials as trials
    cross join
        lateral
        jsonb_each(trials.set_aside) as asides (field, set_aside_value)
    where jsonb_typeof(asides.set_aside_value) = 'number'
),

undeclared_keys as (
    {{ undeclared_keys('evaluation_trials') }}
),

undeclared as (
    select
        trials.experiment_id,
        trials.experiment_group,
        trials.extension_version,
        'scores.' || undeclared_keys.evaluator_key as field,
        'undeclared_scale' as reason,
        {{ function('to_double') }}(
            (trials.scores ->> undeclared_keys.evaluator_key)::numeric
        ) as value
    from evaluation_trials as trials
    inner join undeclared_keys
        on trials.experiment_id = undeclared_keys.experiment_id
    left join evaluator_metrics
        on
            undeclared_keys.evaluator_key
            = evaluator_metrics.evaluator_key
    where
        jsonb_typeof(trials.scores -> undeclared_keys.evaluator_key)
        = 'number'
        and {{
            has_no_scale(
                'trials.score_scales',
                'undeclared_keys.evaluator_key',
                'evaluator_metrics.evaluator_key'
            )
        }}
),

all_values as (
    select * from not_taken
    union all
    select * from undeclared
),

counted as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        field,
        case
            when field like 'scores.%' then substring(field from 8)
        end as evaluator_key,
        reason,
        count(*)::integer as runs,
        min(value) as lowest,
        max(value) as highest
    from all_values
    group by experiment_id, experiment_group, extension_version, field, reason
)

select * from counted
