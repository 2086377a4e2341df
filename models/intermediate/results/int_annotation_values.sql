{#
    Exact, as scores are: to_double only where a mart shows a number.
#}
with

annotations as (
    select * from {{ ref('stg_annotations') }}
),

evaluator_metrics as (
    select * from {{ ref('int_evaluator_metrics') }}
),

metrics as (
    select * from {{ ref('int_metric_kinds') }}
),

valued as (
    select
        annotations.load_id,
        annotations.annotation_id,
        annotations.experiment_id,
        annotations.source,
        annotations.source_run_id,
        annotations.task_id,
        annotations.experiment_group,
        annotations.extension_version,
        annotations.author,
        annotations.reason,
        coalesce(evaluator_metrics.metric, annotations.evaluator_key) as metric,
        trim_scale(
            (annotations.score::numeric - annotations.scale_min::numeric)
            / (
                annotations.scale_max::numeric - annotations.scale_min::numeric
            )
        ) as value
    from annotations
    left join evaluator_metrics
        on annotations.evaluator_key = evaluator_metrics.evaluator_key
    left join metrics
        on
            coalesce(evaluator_metrics.metric, annotations.evaluator_key)
            = metrics.metric
    where coalesce(metrics.kind, 'score') = 'score'
)

select * from valued
