{{
    config(
        unique_key=["experiment_id", "source", "source_run_id"],
        indexes=[{"columns": ["experiment_id", "result_id"]}],
    )
}}

with

runs_latest as (
    {{ changed_rows(ref('int_runs_latest')) }}
),

dated_runs as (
    select
        *,
        coalesce(recorded_at, first_loaded_at) as dated_at
    from runs_latest
),

numbered_runs as (
    select
        experiment_id,
        source,
        source_run_id,
        {{
            result_id(
                'experiment_id',
                'task_id',
                'experiment_group',
                'extension_version'
            )
        }} as result_id,
        task_id,
        experiment_group,
        extension_version,
        model_version,
        agent_name,
        dataset_version,
        baseline_experiment_id,
        error_message,
        run_version,
        (
            row_number() over (
                runs_of_result
                order by
                    repetition asc nulls last,
                    dated_at asc,
                    source_run_id collate "C" asc,
                    source collate "C" asc
            )
        )::integer as trial_number,
        (count(*) over runs_of_result)::integer as trial_count,
        repetition,
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
        dated_at as recorded_at,
        first_loaded_at,
        loaded_at
    from dated_runs
    window
        runs_of_result as (
            partition by
                experiment_id,
                task_id,
                experiment_group,
                extension_version
        )
)

select * from numbered_runs
