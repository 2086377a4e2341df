-- sqlfluff:exclude_rules:LT02
{#
    First step of int_metric_pairs, from `results_paired` to `tasks`: what a
    task is, and how its runs ended in both arms.
#}
{% macro pair_tasks() -%}
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
        results_paired.is_quarantined,
        coalesce(candidates.metadata @> '{"critical": true}', false)
        or coalesce(baselines.metadata @> '{"critical": true}', false)
            as is_critical,
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
            candidates.metadata -> 'split', baselines.metadata -> 'split'
        ) as split,
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
)
{%- endmacro %}
