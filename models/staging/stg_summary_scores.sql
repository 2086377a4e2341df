with

source as (
    select * from {{ source('raw_evals', 'summary_scores') }}
),

renamed as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        feedback_id,
        evaluator_key,
        label,
        comment,
        author_kind,
        score,
        load_id,
        scored_at
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
