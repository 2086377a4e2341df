with

source as (
    select * from {{ source('raw_evals', 'evaluation_runs') }}
),

renamed as (
    select
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
        recorded_at,
        loaded_at
    from source
    {% if var('as_of') %}
        where
            experiment_id in (
                select asked.experiment_id
                from {{ as_of_experiments() }} as asked
            )
    {% endif %}
)

select * from renamed
