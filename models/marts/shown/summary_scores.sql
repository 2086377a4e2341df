{#
    A view: what it shows is in raw, by experiment, and few.
#}
{%- set parts = ['experiment_group', 'extension_version'] -%}
{{ config(materialized="view") }}

with

summary_scores as (
    select * from {{ ref('stg_summary_scores') }}
),

-- one that was edited in the service has its latest reading
latest_readings as (
    select distinct on (experiment_id, feedback_id) *
    from summary_scores
    where
        {{ is_in_build('load_id') }}
        and {{ is_standing('summary_scores', parts) }}
    order by experiment_id asc, feedback_id asc, load_id desc
),

-- a remark without a verdict hides none; a person outranks an evaluator
counting as (
    select distinct on (
        experiment_id, experiment_group, extension_version, evaluator_key
    ) *
    from latest_readings
    order by
        experiment_id asc,
        experiment_group asc,
        extension_version asc,
        evaluator_key asc,
        (score is null and label is null) asc,
        (author_kind = 'person') desc,
        scored_at desc nulls last,
        load_id desc,
        feedback_id collate "C" desc
),

renamed as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        evaluator_key,
        label,
        comment,
        author_kind,
        score,
        load_id,
        scored_at
    from counting
)

select * from renamed
