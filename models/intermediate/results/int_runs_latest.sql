{%- set parts = [
    'experiment_group', 'extension_version', 'task_id', 'source_run_id'
] -%}
with

runs as (
    select
        versions.*,
        min(versions.loaded_at) over (
            partition by
                versions.experiment_id, versions.source, versions.source_run_id
        ) as first_loaded_at
    from {{ ref('stg_evaluation_runs') }} as versions
    where
        {{ is_in_build('versions.load_id') }}
        and {{ is_standing('versions', parts) }}
),

latest_versions as (
    select distinct on (experiment_id, source, source_run_id)
        experiment_id,
        source,
        source_run_id,
        content_hash,
        task_id,
        experiment_group,
        extension_version,
        model_version,
        agent_name,
        dataset_version,
        baseline_experiment_id,
        error_message,
        run_version,
        repetition,
        latency_ms,
        tokens_used,
        cost_usd,
        load_id,
        success,
        scores,
        measurements,
        evaluator_versions,
        feedback,
        metadata,
        score_scales,
        set_aside,
        comments,
        trace_url,
        inputs_id,
        outputs_id,
        reference_outputs_id,
        prompt_tokens,
        completion_tokens,
        cached_tokens,
        reasoning_tokens,
        recorded_at,
        loaded_at,
        first_loaded_at
    from runs
    order by
        experiment_id asc,
        source asc,
        source_run_id asc,
        run_version desc
)

select * from latest_versions
