-- sqlfluff:exclude_rules:LT02,ST06
{#
    The values of runs by metric: scores by way of the seed evaluator_metrics,
    measurements, and the fields of a record. One row per run and value.

    relation: rows with scores, score_scales, measurements, latency_ms,
        tokens_used, cost_usd.
    keys: those of its columns that come along.
    undeclared_keys: a query of the experiments (experiment_id) and keys
        (evaluator_key) of which nobody knows the scale: there only values that
        have one of their own count.

    A value that is off its scale after all, because a seed was edited, is null.
    What is nearer to 0 than anything is measured is 0: neither its square nor
    what is divided by it leaves double precision.

    Imports are not materialized, so that a condition on experiment_id reaches
    the index of the relation through every branch of the union.
#}
{% macro run_values(relation, keys, undeclared_keys) -%}
{%- set low = scale_end('runs', 'scores', 0) -%}
{%- set high = scale_end('runs', 'scores', 1) -%}
{%- set key_columns = 'runs.' ~ keys | join(',\n        runs.') -%}
with

runs as not materialized (
    select * from {{ relation }}
),

evaluator_metrics as not materialized (
    select * from {{ ref('int_evaluator_metrics') }}
),

metrics as not materialized (
    select * from {{ ref('int_metric_kinds') }}
),

undeclared_keys as not materialized (
    {{ undeclared_keys }}
),

unit_scores as (
    select
        {{ key_columns }},
        coalesce(evaluator_metrics.metric, scores.evaluator_key) as metric,
        'score' as kind,
        'score' as value_source,
        case jsonb_typeof(scores.score)
            when 'boolean' then scores.score::boolean::integer::numeric
            when 'number'
                then
                    trim_scale(
                        (scores.score::numeric - {{ low }})
                        / nullif({{ high }} - {{ low }}, 0)
                    )
        end as value
    from runs
    cross join
        lateral
        jsonb_each(runs.scores) as scores (evaluator_key, score)
    left join evaluator_metrics
        on scores.evaluator_key = evaluator_metrics.evaluator_key
    left join metrics
        on
            coalesce(evaluator_metrics.metric, scores.evaluator_key)
            = metrics.metric
    left join undeclared_keys
        on
            runs.experiment_id = undeclared_keys.experiment_id
            and scores.evaluator_key = undeclared_keys.evaluator_key
            and {{
                has_no_scale(
                    'runs.score_scales',
                    'scores.evaluator_key',
                    'evaluator_metrics.evaluator_key'
                )
            }}
    where
        -- of several keys of one metric, the preferred one counts
        not jsonb_exists_any(
            runs.scores,
            coalesce(evaluator_metrics.preferred_keys, '{}')
        )
        -- an evaluator named after a cost is not that cost
        and coalesce(metrics.kind, 'score') = 'score'
        and undeclared_keys.evaluator_key is null
),

score_values as (
    select
        {{ keys | join(',\n        ') }},
        metric,
        kind,
        value_source,
        case
            when value between 1e-30 and 1 then value
            when value between 0 and 1 then 0
        end as value
    from unit_scores
),

measurement_values as (
    select
        {{ key_columns }},
        measurements.metric,
        coalesce(metrics.kind, 'measurement') as kind,
        'measurement' as value_source,
        case
            when jsonb_typeof(measurements.measurement) != 'number' then null
            when abs(measurements.measurement::numeric) >= 1e-30
                then measurements.measurement::numeric
            else 0
        end as value
    from runs
    cross join
        lateral
        jsonb_each(runs.measurements)
            as measurements (metric, measurement)
    left join metrics
        on measurements.metric = metrics.metric
    where
        -- nor does a measurement pass for a score or for a record's field
        coalesce(metrics.kind, 'measurement') != 'score'
        and measurements.metric not in ('latency_ms', 'tokens_used', 'cost_usd')
),

field_values as (
    select
        {{ key_columns }},
        fields.metric,
        fields.kind,
        'field' as value_source,
        case when fields.value >= 1e-30 then fields.value else 0 end as value
    from runs
    cross join
        lateral (
            values
            ('latency_ms', 'latency', runs.latency_ms::numeric),
            ('tokens_used', 'tokens', runs.tokens_used::numeric),
            ('cost_usd', 'cost', runs.cost_usd::numeric)
        ) as fields (metric, kind, value)
    where fields.value is not null
),

all_values as (
    select * from score_values
    union all
    select * from measurement_values
    union all
    select * from field_values
)

select * from all_values
{%- endmacro %}
