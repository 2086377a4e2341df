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
        -- what named neither run nor repetition says in its id which it was;
        -- the first of a hashed id says nothing
        case
            when not is_id_derived or is_id_derived is null then repetition
            else
                coalesce(
                    substring(source_run_id from '[,#]([0-9]+)]?$')::integer, 1
                )
        end as repetition,
        latency_ms,
        tokens_used,
        cost_usd,
        load_id,
        success,
        scores,
        labels,
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
