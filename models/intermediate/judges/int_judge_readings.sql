{#
    A view: labels are few beside runs, and a warehouse without any pays nothing
    for it. Experiments without annotations pass by before their runs are read.
#}
with

annotations as not materialized (
    select * from {{ ref('stg_annotations') }}
),

human_scores as not materialized (
    select * from {{ ref('int_human_scores') }}
),

trial_values as not materialized (
    select * from {{ ref('int_trial_values') }}
),

evaluation_trials as not materialized (
    select * from {{ ref('evaluation_trials') }}
),

evaluator_metrics as (
    select * from {{ ref('int_evaluator_metrics') }}
),

experiment_groups as (
    select * from {{ ref('experiment_groups') }}
),

group_roles as (
    select * from {{ ref('int_group_roles') }}
),

contents as not materialized (
    select * from {{ ref('stg_contents') }}
),

-- under one another and not joined: the planner takes either side for one row,
-- and would read all of one for each of the other
values_of_both as (
    select
        experiment_id,
        source,
        source_run_id,
        metric,
        value as judge_value,
        null::numeric as human_value,
        null::integer as annotators,
        null::numeric as annotation_squares
    from trial_values
    where
        experiment_id = any(
            array(select distinct annotations.experiment_id from annotations)
        )
        and value_source = 'score'
        and value is not null
    union all
    select
        experiment_id,
        source,
        source_run_id,
        metric,
        null as judge_value,
        value as human_value,
        annotators,
        annotation_squares
    from human_scores
),

read_twice as (
    select
        experiment_id,
        source,
        source_run_id,
        metric,
        max(judge_value) as judge_value,
        max(human_value) as human_value,
        max(annotators) as annotators,
        max(annotation_squares) as annotation_squares
    from values_of_both
    group by experiment_id, source, source_run_id, metric
    having count(judge_value) > 0 and count(human_value) > 0
),

annotated_trials as (
    select *
    from evaluation_trials
    where
        experiment_id = any(
            array(select distinct annotations.experiment_id from annotations)
        )
),

readings as (
    select
        trials.experiment_id,
        trials.source,
        trials.source_run_id,
        trials.result_id,
        trials.task_id,
        trials.experiment_group,
        trials.extension_version,
        trials.agent_name,
        judged_keys.evaluator_key,
        coalesce(trials.evaluator_versions ->> judged_keys.evaluator_key, '')
            as judge_version,
        read_twice.metric,
        coalesce(group_roles.role, experiment_groups.role) as group_role,
        trials.metadata -> 'category' as category,
        coalesce(
            nullif(trials.metadata ->> 'cluster_id', ''), trials.task_id
        ) as cluster_id,
        read_twice.judge_value,
        read_twice.human_value,
        read_twice.annotators,
        read_twice.annotation_squares,
        case jsonb_typeof(contents.body)
            when 'string' then length(contents.body #>> '{}')
            else length(contents.body::text)
        end as output_length,
        trials.recorded_at
    from read_twice
    -- by one key: by three the planner expects a row, and so do readers of this
    inner join annotated_trials as trials
        on
            json_build_array(
                read_twice.experiment_id,
                read_twice.source,
                read_twice.source_run_id
            )::text
            = json_build_array(
                trials.experiment_id, trials.source, trials.source_run_id
            )::text
    cross join
        lateral
        jsonb_object_keys(trials.scores) as judged_keys (evaluator_key)
    left join evaluator_metrics
        on judged_keys.evaluator_key = evaluator_metrics.evaluator_key
    left join group_roles
        on
            trials.experiment_id = group_roles.experiment_id
            and trials.experiment_group = group_roles.experiment_group
    left join experiment_groups
        on trials.experiment_group = experiment_groups.experiment_group
    left join contents
        on trials.outputs_id = contents.content_id
    where
        coalesce(evaluator_metrics.metric, judged_keys.evaluator_key)
        = read_twice.metric
        -- the key that counts, as in run_values
        and not jsonb_exists_any(
            trials.scores, coalesce(evaluator_metrics.preferred_keys, '{}')
        )
)

select * from readings
