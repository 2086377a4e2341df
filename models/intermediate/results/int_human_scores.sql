{%- set parts = [
    'annotation_id', 'experiment_group', 'extension_version', 'task_id',
    'source_run_id'
] -%}
with

annotations as (
    select * from {{ ref('int_annotation_values') }}
),

-- who says something again has changed their mind
latest_of_authors as (
    select distinct on (
        experiment_id, source, source_run_id, metric, author
    )
        experiment_id,
        source,
        source_run_id,
        metric,
        author,
        value
    from annotations
    where
        {{ is_in_build('load_id') }}
        and {{ is_standing('annotations', parts) }}
    order by
        experiment_id asc,
        source asc,
        source_run_id asc,
        metric asc,
        author asc,
        load_id desc,
        annotation_id desc
),

agreed as (
    select
        experiment_id,
        source,
        source_run_id,
        metric,
        trim_scale(avg(value)) as value,
        count(*)::integer as annotators,
        max(value) - min(value) as annotation_spread,
        sum(value * value) as annotation_squares
    from latest_of_authors
    group by experiment_id, source, source_run_id, metric
)

select * from agreed
