{#
    Everything the statistics read, task by task, what one arm lacks included.
    A table, because it is read twice and its joins are the costly part. They
    are of rows that are read by experiment already: taken for few, and looped
    over, a thousand tasks would cost a million steps. Its steps are macros of
    macros/pairs, read in this order.
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "task_id",
            "candidate_group",
            "candidate_version",
            "metric",
        ],
        meta={"settings": ["planned_repetitions"]},
        pre_hook="{{ join_by_hash() }}",
    )
}}

with

results_paired as (
    {{ changed_rows(ref('int_results_paired')) }}
),

-- those of both arms; the control's may be another
experiments as (
    select experiment_id from results_paired
    union distinct
    select control_experiment_id as experiment_id from results_paired
),

evaluation_results as not materialized (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'experiments', 'experiment_id'
        )
    }}
),

evaluation_scores as not materialized (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'experiments', 'experiment_id'
        )
    }}
),

metric_directions as (
    select * from {{ ref('int_metric_directions') }}
),

arm_plans as (
    select * from {{ ref('int_arm_plans') }}
),

said_directions as materialized (
    {{
        said_directions(
            'array(select distinct experiment_id from results_paired)'
            if is_incremental() else none
        )
    }}
),

{{ pair_tasks() }},

{{ pair_segments() }},

{{ pair_scores() }},

{{ pair_outcomes() }},

all_pairs as (
    select * from recorded_pairs
    union all
    select * from outcome_pairs
),

metric_pairs as (
    select
        tasks.experiment_id,
        tasks.task_id,
        tasks.candidate_group,
        tasks.candidate_version,
        all_pairs.metric,
        all_pairs.kind,
        {{
            metric_direction(
                'all_pairs.metric',
                'all_pairs.kind',
                'metric_directions.direction',
                'said_directions.direction',
            )
        }} as direction,
        tasks.cluster_id,
        segments.segments,
        segments.whole_segments,
        all_pairs.baseline_value,
        all_pairs.candidate_value,
        all_pairs.baseline_stddev,
        all_pairs.candidate_stddev,
        all_pairs.baseline_repetitions,
        all_pairs.candidate_repetitions,
        coalesce(all_pairs.baseline_runs, 0) as baseline_runs,
        coalesce(all_pairs.candidate_runs, 0) as candidate_runs,
        greatest(all_pairs.baseline_explained_runs, 0)
            as baseline_explained_runs,
        greatest(all_pairs.candidate_explained_runs, 0)
            as candidate_explained_runs,
        tasks.planned_tasks,
        tasks.is_quarantined,
        tasks.is_critical,
        all_pairs.is_binary,
        metric_directions.metric is not null as is_declared,
        (
            metric_directions.metric is null
            and all_pairs.kind in ('score', 'measurement')
            and said_directions.direction is not null
        ) as is_direction_said,
        coalesce(all_pairs.metric = tasks.primary_metric, false) as is_deciding,
        coalesce(tasks.is_metric_guessed, false) as is_metric_guessed,
        coalesce(all_pairs.metric = any(tasks.one_sided_metrics), false)
            as is_evaluator_one_sided,
        (
            tasks.is_same_dataset
            and all_pairs.is_same_kind
            and coalesce(
                all_pairs.metric != all(tasks.conflicting_metrics), true
            )
        ) as is_comparable
    from all_pairs
    inner join tasks
        on all_pairs.pair_number = tasks.pair_number
    left join segments
        on all_pairs.pair_number = segments.pair_number
    left join metric_directions
        on all_pairs.metric = metric_directions.metric
    left join said_directions
        on
            tasks.experiment_id = said_directions.experiment_id
            and all_pairs.metric = said_directions.metric
)

select * from metric_pairs
