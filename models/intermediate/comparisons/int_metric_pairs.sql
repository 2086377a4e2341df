{#
    Everything the statistics read, task by task, what one arm lacks included.
    A table, because it is read twice and its joins are the costly part. They
    are of rows that are read by experiment already: taken for few, and looped
    over, a thousand tasks would cost a million steps.
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

metrics as (
    select * from {{ ref('metrics') }}
),

arm_plans as (
    select * from {{ ref('int_arm_plans') }}
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
        results_paired.one_sided_metrics,
        results_paired.primary_metric,
        results_paired.is_metric_guessed,
        -- runs that left no record are known by the plan only
        case
            when baselines.result_id is not null
                then greatest(
                    baselines.repetitions,
                    coalesce(
                        nullif({{ var('planned_repetitions') }}, 0),
                        baseline_plans.planned_repetitions
                    )
                )
        end as baseline_runs,
        case
            when candidates.result_id is not null
                then greatest(
                    candidates.repetitions,
                    coalesce(
                        nullif({{ var('planned_repetitions') }}, 0),
                        candidate_plans.planned_repetitions
                    )
                )
        end as candidate_runs,
        baselines.failed_repetitions as baseline_failures,
        candidates.failed_repetitions as candidate_failures,
        baselines.said_repetitions as baseline_said_runs,
        candidates.said_repetitions as candidate_said_runs,
        baselines.success_rate as baseline_success_rate,
        candidates.success_rate as candidate_success_rate,
        baselines.pass_at_k as baseline_pass_at_k,
        candidates.pass_at_k as candidate_pass_at_k,
        baselines.pass_hat_k as baseline_pass_hat_k,
        candidates.pass_hat_k as candidate_pass_hat_k,
        -- a control of another experiment may pass by another metric
        coalesce(baselines.pass_metric = candidates.pass_metric, true)
            as is_same_pass_metric,
        greatest(baseline_plans.planned_tasks, candidate_plans.planned_tasks)
            as planned_tasks,
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
    left join arm_plans as candidate_plans
        on
            candidates.experiment_id = candidate_plans.experiment_id
            and candidates.experiment_group = candidate_plans.experiment_group
            and candidates.extension_version
            = candidate_plans.extension_version
    left join arm_plans as baseline_plans
        on
            baselines.experiment_id = baseline_plans.experiment_id
            and baselines.experiment_group = baseline_plans.experiment_group
            and baselines.extension_version = baseline_plans.extension_version
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
            {{
                is_same_comparison(
                    'task_segments', 'segment_sizes', ['segment']
                )
            }}
    inner join comparison_sizes
        on {{ is_same_comparison('task_segments', 'comparison_sizes') }}
    group by task_segments.pair_number
),

baseline_values as (
    select
        tasks.pair_number,
        evaluation_scores.metric,
        evaluation_scores.kind,
        evaluation_scores.value,
        evaluation_scores.value_stddev,
        evaluation_scores.repetitions,
        evaluation_scores.failed_repetitions
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
        evaluation_scores.repetitions,
        evaluation_scores.failed_repetitions
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
        candidate_values.repetitions as candidate_repetitions,
        baseline_values.failed_repetitions as baseline_failed_repetitions,
        candidate_values.failed_repetitions as candidate_failed_repetitions
    from candidate_values
    full join baseline_values
        on
            candidate_values.pair_number = baseline_values.pair_number
            and candidate_values.metric = baseline_values.metric
),

recorded_pairs as (
    select
        paired_values.pair_number,
        paired_values.metric,
        paired_values.kind,
        paired_values.is_same_kind,
        paired_values.baseline_value,
        paired_values.candidate_value,
        paired_values.baseline_stddev,
        paired_values.candidate_stddev,
        paired_values.baseline_repetitions,
        paired_values.candidate_repetitions,
        tasks.baseline_runs,
        tasks.candidate_runs,
        -- a crash explains why its score is missing
        tasks.baseline_failures
        - coalesce(paired_values.baseline_failed_repetitions, 0)
            as baseline_explained_runs,
        tasks.candidate_failures
        - coalesce(paired_values.candidate_failed_repetitions, 0)
            as candidate_explained_runs
    from paired_values
    inner join tasks
        on paired_values.pair_number = tasks.pair_number
),

-- a score that has the name of an outcome keeps it
outcome_names as (
    select distinct
        experiment_id,
        metric
    from evaluation_scores
    where metric in ('success', 'pass_hat_k', 'pass_at_k')
),

-- how runs ended, and whether they end alike: metrics beside the recorded ones
outcomes as (
    select
        tasks.pair_number,
        tasks.experiment_id,
        tasks.control_experiment_id,
        measured.metric,
        measured.kind,
        measured.baseline_value::float8 as baseline_value,
        measured.candidate_value::float8 as candidate_value,
        case
            when measured.baseline_value is null then 0
            when measured.kind = 'success' then tasks.baseline_said_runs
            else 1
        end as baseline_repetitions,
        case
            when measured.candidate_value is null then 0
            when measured.kind = 'success' then tasks.candidate_said_runs
            else 1
        end as candidate_repetitions
    from tasks
    cross join
        lateral (
            values
            (
                'success',
                'success',
                tasks.baseline_success_rate,
                tasks.candidate_success_rate
            ),
            (
                'pass_hat_k',
                'reliability',
                tasks.baseline_pass_hat_k,
                tasks.candidate_pass_hat_k
            ),
            (
                'pass_at_k',
                'reliability',
                tasks.baseline_pass_at_k,
                tasks.candidate_pass_at_k
            )
        ) as measured (metric, kind, baseline_value, candidate_value)
    where
        (
            measured.baseline_value is not null
            or measured.candidate_value is not null
        )
        and (measured.kind = 'success' or tasks.is_same_pass_metric)
),

outcome_pairs as (
    select
        outcomes.pair_number,
        outcomes.metric,
        outcomes.kind,
        true as is_same_kind,
        outcomes.baseline_value,
        outcomes.candidate_value,
        case
            when outcomes.baseline_repetitions > 1
                then sqrt(
                    outcomes.baseline_value * (1 - outcomes.baseline_value)
                    * outcomes.baseline_repetitions
                    / (outcomes.baseline_repetitions - 1)
                )
        end as baseline_stddev,
        case
            when outcomes.candidate_repetitions > 1
                then sqrt(
                    outcomes.candidate_value * (1 - outcomes.candidate_value)
                    * outcomes.candidate_repetitions
                    / (outcomes.candidate_repetitions - 1)
                )
        end as candidate_stddev,
        outcomes.baseline_repetitions,
        outcomes.candidate_repetitions,
        outcomes.baseline_repetitions as baseline_runs,
        outcomes.candidate_repetitions as candidate_runs,
        0 as baseline_explained_runs,
        0 as candidate_explained_runs
    from outcomes
    left join outcome_names
        on
            outcomes.metric = outcome_names.metric
            and outcome_names.experiment_id
            in (outcomes.experiment_id, outcomes.control_experiment_id)
    where outcome_names.metric is null
),

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
                'all_pairs.metric', 'all_pairs.kind', 'metrics.direction'
            )
        }} as direction,
        tasks.cluster_id,
        segments.segments,
        segments.whole_segments,
        metrics.tie_margin,
        metrics.non_inferiority_margin,
        metrics.weight,
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
        metrics.metric is not null as is_declared,
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
    left join metrics
        on all_pairs.metric = metrics.metric
)

select * from metric_pairs
