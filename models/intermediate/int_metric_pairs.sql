{#
    Everything the statistics read, task by task, what one arm lacks included.
    A table, because it is read twice and its joins are the costly part. They
    are of rows that are read by experiment already: taken for few, and looped
    over, a thousand tasks would cost a million steps.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id",
            "task_id",
            "candidate_group",
            "candidate_version",
            "metric",
        ],
        indexes=[{"columns": ["experiment_id"]}],
        pre_hook=[
            "{{
                start_build(
                    parents=[
                        'evaluation_results',
                        'evaluation_scores',
                        'int_results_paired',
                    ],
                    seeds=['metrics'],
                    include_linked=true,
                )
            }}",
            "{{ join_by_hash() }}",
        ],
        post_hook="{{ finish_build() }}",
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

metrics as (
    select * from {{ ref('metrics') }}
),

-- what a task is, told by the candidate's record where there is one
tasks as materialized (
    select
        results_paired.experiment_id,
        results_paired.task_id,
        results_paired.candidate_group,
        results_paired.candidate_version,
        results_paired.control_experiment_id,
        results_paired.candidate_result_id,
        results_paired.baseline_result_id,
        results_paired.conflicting_metrics,
        -- one integer is hashed and compared faster than four texts
        row_number() over () as pair_number,
        nullif(
            coalesce(
                candidates.metadata ->> 'cluster_id',
                baselines.metadata ->> 'cluster_id'
            ),
            ''
        ) as cluster_id,
        coalesce(candidates.agent_name, baselines.agent_name) as agent_name,
        coalesce(
            candidates.metadata -> 'category', baselines.metadata -> 'category'
        ) as category,
        coalesce(
            results_paired.not_comparable_reason != 'dataset_version_differs',
            true
        ) as is_same_dataset
    from results_paired
    left join evaluation_results as candidates
        on
            results_paired.experiment_id = candidates.experiment_id
            and results_paired.candidate_result_id = candidates.result_id
    left join evaluation_results as baselines
        on
            results_paired.control_experiment_id = baselines.experiment_id
            and results_paired.baseline_result_id = baselines.result_id
),

-- an array of categories puts its task into each of them
task_segments as (
    select
        pair_number,
        experiment_id,
        candidate_group,
        candidate_version,
        'agent:' || agent_name as segment
    from tasks
    where agent_name is not null
    union distinct
    select
        tasks.pair_number,
        tasks.experiment_id,
        tasks.candidate_group,
        tasks.candidate_version,
        'category:' || categories.category as segment
    from tasks
    cross join
        lateral
        jsonb_array_elements_text(
            case jsonb_typeof(tasks.category)
                when 'array' then tasks.category
                when 'string' then jsonb_build_array(tasks.category)
                when 'number' then jsonb_build_array(tasks.category)
                when 'boolean' then jsonb_build_array(tasks.category)
                else '[]'
            end
        ) as categories (category)
    where categories.category != ''
),

segment_sizes as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        count(*) as task_count
    from task_segments
    group by experiment_id, candidate_group, candidate_version, segment
),

comparison_sizes as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        count(*) as task_count
    from tasks
    group by experiment_id, candidate_group, candidate_version
),

-- a segment of all tasks says what the whole says, and is not computed again
segments as (
    select
        task_segments.pair_number,
        array_agg(task_segments.segment order by task_segments.segment)
        filter (
            where segment_sizes.task_count < comparison_sizes.task_count
        ) as segments,
        array_agg(task_segments.segment order by task_segments.segment)
        filter (
            where segment_sizes.task_count = comparison_sizes.task_count
        ) as whole_segments
    from task_segments
    inner join segment_sizes
        on
            task_segments.experiment_id = segment_sizes.experiment_id
            and task_segments.candidate_group = segment_sizes.candidate_group
            and task_segments.candidate_version
            = segment_sizes.candidate_version
            and task_segments.segment = segment_sizes.segment
    inner join comparison_sizes
        on
            task_segments.experiment_id = comparison_sizes.experiment_id
            and task_segments.candidate_group = comparison_sizes.candidate_group
            and task_segments.candidate_version
            = comparison_sizes.candidate_version
    group by task_segments.pair_number
),

baseline_values as (
    select
        tasks.pair_number,
        evaluation_scores.metric,
        evaluation_scores.kind,
        evaluation_scores.value,
        evaluation_scores.value_stddev,
        evaluation_scores.repetitions
    from tasks
    inner join evaluation_scores
        on
            tasks.control_experiment_id = evaluation_scores.experiment_id
            and tasks.baseline_result_id = evaluation_scores.result_id
),

candidate_values as (
    select
        tasks.pair_number,
        evaluation_scores.metric,
        evaluation_scores.kind,
        evaluation_scores.value,
        evaluation_scores.value_stddev,
        evaluation_scores.repetitions
    from tasks
    inner join evaluation_scores
        on
            tasks.experiment_id = evaluation_scores.experiment_id
            and tasks.candidate_result_id = evaluation_scores.result_id
),

paired_values as (
    select
        coalesce(candidate_values.pair_number, baseline_values.pair_number)
            as pair_number,
        coalesce(candidate_values.metric, baseline_values.metric) as metric,
        coalesce(candidate_values.kind, baseline_values.kind) as kind,
        -- a score in one arm and a measurement in the other share the name only
        coalesce(candidate_values.kind = baseline_values.kind, true)
            as is_same_kind,
        baseline_values.value as baseline_value,
        candidate_values.value as candidate_value,
        baseline_values.value_stddev as baseline_stddev,
        candidate_values.value_stddev as candidate_stddev,
        baseline_values.repetitions as baseline_repetitions,
        candidate_values.repetitions as candidate_repetitions
    from candidate_values
    full join baseline_values
        on
            candidate_values.pair_number = baseline_values.pair_number
            and candidate_values.metric = baseline_values.metric
),

metric_pairs as (
    select
        tasks.experiment_id,
        tasks.task_id,
        tasks.candidate_group,
        tasks.candidate_version,
        paired_values.metric,
        paired_values.kind,
        coalesce(metrics.direction, 'higher') as direction,
        tasks.cluster_id,
        segments.segments,
        segments.whole_segments,
        metrics.tie_margin,
        metrics.non_inferiority_margin,
        metrics.weight,
        paired_values.baseline_value,
        paired_values.candidate_value,
        paired_values.baseline_stddev,
        paired_values.candidate_stddev,
        paired_values.baseline_repetitions,
        paired_values.candidate_repetitions,
        (
            tasks.is_same_dataset
            and paired_values.is_same_kind
            and coalesce(
                paired_values.metric != all(tasks.conflicting_metrics), true
            )
        ) as is_comparable
    from paired_values
    inner join tasks
        on paired_values.pair_number = tasks.pair_number
    left join segments
        on paired_values.pair_number = segments.pair_number
    left join metrics
        on paired_values.metric = metrics.metric
)

select * from metric_pairs
