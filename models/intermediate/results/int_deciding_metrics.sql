{#
    Which metric decides an experiment as a whole, for what a pass goes by; a
    comparison asks its two arms (int_results_paired). Counted before it is
    ranked, so that a full build sorts a few rows an experiment.
#}
{%- set pass_metric = var('pass_metric') -%}
with

evaluation_scores as not materialized (
    select * from {{ ref('evaluation_scores') }}
),

metrics as not materialized (
    select * from {{ ref('int_metric_kinds') }}
),

counted as (
    select
        experiment_id,
        metric,
        kind,
        sum(repetitions) > 0 as has_values,
        bool_and(is_binary) as is_binary,
        kind = 'score' as is_score,
        kind = 'score' or metric = '{{ var("primary_metric") }}' as may_decide
    from evaluation_scores
    group by experiment_id, metric, kind
),

ranked as (
    select
        counted.experiment_id,
        counted.metric,
        counted.kind,
        counted.has_values,
        counted.is_binary,
        counted.may_decide
        and row_number() over (
            partition by counted.experiment_id, counted.may_decide
            order by
                {{ deciding_metric_order('counted') }},
                counted.kind collate "C" desc
        ) = 1 as is_deciding
    from counted
    left join metrics
        on counted.metric = metrics.metric
),

chosen as (
    select
        experiment_id,
        max(metric) filter (where is_deciding) as deciding_metric,
        max(metric) filter (
            where
            has_values
            {% if pass_metric %}
                and metric = '{{ pass_metric }}'
            {% else %}
                and is_deciding and kind = 'score' and is_binary
            {% endif %}
        ) as pass_score
    from ranked
    group by experiment_id
)

select * from chosen
