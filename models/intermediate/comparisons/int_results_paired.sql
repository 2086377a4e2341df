{#
    The tasks of each candidate and the control that each is held against, with
    what keeps the two from being compared. Its steps are macros of macros/pairs,
    read in this order.
#}
{{
    config(
        unique_key=[
            "experiment_id", "task_id", "candidate_group", "candidate_version"
        ],
        indexes=[
            {
                "columns": [
                    "experiment_id",
                    "task_id",
                    "candidate_group",
                    "candidate_version",
                ],
                "unique": true,
            },
        ],
        meta={"settings": ["primary_metric"]},
    )
}}

with

evaluation_results as (
    {{ changed_rows(ref('evaluation_results')) }}
),

experiment_groups as (
    select * from {{ ref('experiment_groups') }}
),

-- what a load said of an experiment's groups goes before the seed
group_roles as (
    select * from {{ ref('int_group_roles') }}
),

evaluator_metrics as (
    select * from {{ ref('evaluator_metrics') }}
),

metrics as (
    select * from {{ ref('int_metric_kinds') }}
),

quarantine as (
    select * from {{ ref('quarantine') }}
),

experiment_baselines as (
    {{ changed_rows(ref('int_experiment_baselines')) }}
),

-- read twice only where an agent has a baseline
results_with_roles as not materialized (
    select
        evaluation_results.*,
        coalesce(group_roles.role, experiment_groups.role) as role
    from evaluation_results
    left join experiment_groups
        on
            evaluation_results.experiment_group
            = experiment_groups.experiment_group
    left join group_roles
        on
            evaluation_results.experiment_id = group_roles.experiment_id
            and evaluation_results.experiment_group
            = group_roles.experiment_group
),

candidates as (
    select
        experiment_id,
        task_id,
        experiment_group as candidate_group,
        extension_version as candidate_version,
        agent_name,
        result_id,
        dataset_version,
        baseline_experiment_id,
        evaluator_versions,
        load_id,
        recorded_at,
        success_rate is not null as is_said
    from results_with_roles
    where role = 'treatment'
),

{{ arm_baselines() }},

control_results as (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'arms', 'control_experiment_id'
        )
    }}
),

controls as (
    select
        control_results.experiment_id,
        control_results.task_id,
        control_results.experiment_group,
        control_results.extension_version,
        control_results.agent_name,
        control_results.result_id,
        control_results.dataset_version,
        control_results.evaluator_versions,
        control_results.success_rate is not null as is_said,
        control_results.recorded_at
    from control_results
    left join experiment_groups
        on
            control_results.experiment_group
            = experiment_groups.experiment_group
    left join group_roles
        on
            control_results.experiment_id = group_roles.experiment_id
            and control_results.experiment_group = group_roles.experiment_group
    where coalesce(group_roles.role, experiment_groups.role) = 'control'
),

read_experiments as (
    select experiment_id from arms
    union distinct
    select control_experiment_id as experiment_id from arms
),

evaluation_scores as not materialized (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'read_experiments', 'experiment_id'
        )
    }}
),

{{ arm_deciding_metrics() }},

{{ arm_controls() }},

candidate_tasks as (
    select
        candidates.experiment_id,
        candidates.task_id,
        candidates.candidate_group,
        candidates.candidate_version,
        arms.control_experiment_id
    from candidates
    inner join arms
        on {{ is_same_comparison('candidates', 'arms') }}
),

all_tasks as (
    select * from candidate_tasks
    union distinct
    select * from control_tasks
),

pairs as (
    select
        all_tasks.experiment_id,
        all_tasks.task_id,
        all_tasks.candidate_group,
        all_tasks.candidate_version,
        all_tasks.control_experiment_id,
        candidates.result_id as candidate_result_id,
        candidates.dataset_version as candidate_dataset_version,
        candidates.evaluator_versions as candidate_evaluator_versions,
        primary_metrics.primary_metric,
        coalesce(primary_metrics.is_metric_guessed, false)
            as is_metric_guessed,
        coalesce(same_controls.result_id, latest_controls.result_id)
            as baseline_result_id,
        coalesce(
            candidates.agent_name,
            same_controls.agent_name,
            latest_controls.agent_name,
            'unknown'
        ) as agent_name,
        -- of a task that the candidate lacks, when the control ran it
        coalesce(
            candidates.recorded_at,
            same_controls.recorded_at,
            latest_controls.recorded_at
        ) as recorded_at,
        case
            when same_controls.result_id is not null
                then same_controls.dataset_version
            else latest_controls.dataset_version
        end as baseline_dataset_version,
        case
            when same_controls.result_id is not null
                then same_controls.evaluator_versions
            else latest_controls.evaluator_versions
        end as baseline_evaluator_versions
    from all_tasks
    left join primary_metrics
        on {{ is_same_comparison('all_tasks', 'primary_metrics') }}
    left join candidates
        on {{ is_same_comparison('all_tasks', 'candidates', ['task_id']) }}
    left join version_controls as same_controls
        on
            all_tasks.control_experiment_id = same_controls.experiment_id
            and all_tasks.task_id = same_controls.task_id
            and all_tasks.candidate_version = same_controls.extension_version
    left join latest_controls
        on
            all_tasks.control_experiment_id = latest_controls.experiment_id
            and all_tasks.task_id = latest_controls.task_id
),

{{ evaluator_differences() }},

{{ quarantined_tasks() }},

explained as (
    select
        pairs.experiment_id,
        pairs.task_id,
        pairs.candidate_group,
        pairs.candidate_version,
        pairs.control_experiment_id,
        pairs.candidate_result_id,
        pairs.baseline_result_id,
        pairs.primary_metric,
        case
            when pairs.baseline_result_id is null
                then 'no_baseline_result'
            when pairs.candidate_result_id is null
                then 'no_candidate_result'
            when
                pairs.baseline_dataset_version
                != pairs.candidate_dataset_version
                then 'dataset_version_differs'
            when
                pairs.primary_metric
                = any(evaluator_conflicts.conflicting_metrics)
                then 'evaluator_version_differs'
        end as not_comparable_reason,
        evaluator_conflicts.conflicting_metrics,
        one_sided_scores.one_sided_metrics,
        quarantined_tasks.quarantine_reason,
        pairs.is_metric_guessed,
        coalesce(quarantined_tasks.is_quarantined, false) as is_quarantined,
        coalesce(quarantined_tasks.is_quarantine_expired, false)
            as is_quarantine_expired
    from pairs
    left join evaluator_conflicts
        on
            pairs.candidate_result_id = evaluator_conflicts.candidate_result_id
            and pairs.baseline_result_id
            = evaluator_conflicts.baseline_result_id
    left join one_sided_scores
        on
            pairs.candidate_result_id = one_sided_scores.candidate_result_id
            and pairs.baseline_result_id = one_sided_scores.baseline_result_id
    left join quarantined_tasks
        on
            {{
                is_same_comparison('pairs', 'quarantined_tasks', ['task_id'])
            }}
)

select * from explained
