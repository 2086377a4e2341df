{#
    A view: bodies stay in raw, where retention finds them, and are fetched by
    id. What aggregates never reads it.
#}
{{ config(materialized="view") }}

with

evaluation_trials as (
    select * from {{ ref('evaluation_trials') }}
),

contents as (
    select * from {{ ref('stg_contents') }}
),

joined as (
    select
        trials.experiment_id,
        trials.source,
        trials.source_run_id,
        trials.result_id,
        trials.task_id,
        trials.experiment_group,
        trials.extension_version,
        trials.trial_number,
        inputs.body as inputs,
        outputs.body as outputs,
        reference_outputs.body as reference_outputs
    from evaluation_trials as trials
    left join contents as inputs
        on trials.inputs_id = inputs.content_id
    left join contents as outputs
        on trials.outputs_id = outputs.content_id
    left join contents as reference_outputs
        on trials.reference_outputs_id = reference_outputs.content_id
    where
        inputs.content_id is not null
        or outputs.content_id is not null
        or reference_outputs.content_id is not null
)

select * from joined
