with

source as (
    select * from {{ source('raw_evals', 'annotations') }}
),

renamed as (
    select
        load_id,
        annotation_id,
        experiment_id,
        source,
        source_run_id,
        task_id,
        experiment_group,
        extension_version,
        evaluator_key,
        author,
        reason,
        score,
        scale_min,
        scale_max,
        annotated_at
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
