{#
    A view: labels are in evaluation_trials. A condition on the experiment
    reaches them, since it is part of every key.
#}
{{ config(materialized="view") }}

with

evaluation_trials as (
    select * from {{ ref('evaluation_trials') }}
),

arm_summaries as (
    select * from {{ ref('arm_summaries') }}
),

score_configs as (
    select * from {{ ref('int_score_configs') }}
),

labelled as (
    select
        trials.experiment_id,
        trials.experiment_group,
        trials.extension_version,
        trials.task_id,
        labels.evaluator_key,
        labels.category
    from evaluation_trials as trials
    cross join
        lateral
        jsonb_each_text(trials.labels) as labels (evaluator_key, category)
    where labels.category is not null
),

counted as (
    select
        experiment_id,
        experiment_group,
        extension_version,
        evaluator_key,
        category,
        count(*) as runs,
        count(distinct task_id) as tasks,
        sum(count(*)) over (
            partition by
                experiment_id,
                experiment_group,
                extension_version,
                evaluator_key
        ) as labelled_runs
    from labelled
    group by
        experiment_id,
        experiment_group,
        extension_version,
        evaluator_key,
        category
),

joined as (
    select
        counted.experiment_id,
        counted.experiment_group,
        counted.extension_version,
        counted.evaluator_key,
        counted.category,
        places.category_position::integer as category_position,
        counted.runs::integer as runs,
        counted.tasks::integer as tasks,
        counted.labelled_runs::integer as labelled_runs,
        arm_summaries.total_runs,
        (counted.runs / counted.labelled_runs)::double precision
            as share_of_runs
    from counted
    inner join arm_summaries
        on
            counted.experiment_id = arm_summaries.experiment_id
            and counted.experiment_group = arm_summaries.experiment_group
            and counted.extension_version = arm_summaries.extension_version
    left join
        lateral (
            select min(listed.place) as category_position
            from score_configs
            cross join
                lateral
                jsonb_path_query(score_configs.categories, '$[*]')
                with ordinality as listed (entry, place)
            where
                score_configs.experiment_id = counted.experiment_id
                and score_configs.evaluator_key = counted.evaluator_key
                and listed.entry ->> 'label' = counted.category
        ) as places
        on true
)

select * from joined
