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
    select * from {{ ref('stg_experiment_group_roles') }}
),

evaluator_metrics as (
    select * from {{ ref('evaluator_metrics') }}
),

metrics as (
    select * from {{ ref('metrics') }}
),

candidates as (
    select
        evaluation_results.experiment_id,
        evaluation_results.task_id,
        evaluation_results.experiment_group as candidate_group,
        evaluation_results.extension_version as candidate_version,
        evaluation_results.result_id,
        evaluation_results.dataset_version,
        evaluation_results.baseline_experiment_id,
        evaluation_results.evaluator_versions,
        evaluation_results.load_id,
        evaluation_results.success_rate is not null as is_said
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
    where coalesce(group_roles.role, experiment_groups.role) = 'treatment'
),

-- one control experiment for a whole arm: the one its latest records name
arms as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        coalesce(
            (
                array_agg(
                    baseline_experiment_id
                    order by load_id desc, task_id collate "C" desc
                ) filter (where baseline_experiment_id is not null)
            )[1],
            experiment_id
        ) as control_experiment_id
    from candidates
    group by experiment_id, candidate_group, candidate_version
),

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

candidate_metrics as (
    select
        candidates.experiment_id,
        candidates.candidate_group,
        candidates.candidate_version,
        evaluation_scores.metric,
        bool_or(evaluation_scores.kind = 'score') as is_score
    from candidates
    inner join evaluation_scores
        on
            candidates.experiment_id = evaluation_scores.experiment_id
            and candidates.result_id = evaluation_scores.result_id
    group by
        candidates.experiment_id,
        candidates.candidate_group,
        candidates.candidate_version,
        evaluation_scores.metric
    union all
    select distinct
        experiment_id,
        candidate_group,
        candidate_version,
        'success' as metric,
        false as is_score
    from candidates
    where is_said
),

control_metrics as (
    select
        controls.experiment_id,
        evaluation_scores.metric,
        bool_or(evaluation_scores.kind = 'score') as is_score
    from controls
    inner join evaluation_scores
        on
            controls.experiment_id = evaluation_scores.experiment_id
            and controls.result_id = evaluation_scores.result_id
    group by controls.experiment_id, evaluation_scores.metric
    union all
    select distinct
        experiment_id,
        'success' as metric,
        false as is_score
    from controls
    where is_said
),

-- a candidate whose runs all crashed is decided by what its control was scored
arm_metrics as (
    select * from candidate_metrics
    union all
    select
        arms.experiment_id,
        arms.candidate_group,
        arms.candidate_version,
        control_metrics.metric,
        control_metrics.is_score
    from arms
    inner join control_metrics
        on arms.control_experiment_id = control_metrics.experiment_id
),

primary_metrics as (
    select distinct on (
        arm_metrics.experiment_id,
        arm_metrics.candidate_group,
        arm_metrics.candidate_version
    )
        arm_metrics.experiment_id,
        arm_metrics.candidate_group,
        arm_metrics.candidate_version,
        arm_metrics.metric as primary_metric,
        arm_metrics.is_score
        and metrics.metric is null
        and arm_metrics.metric != '{{ var("primary_metric") }}'
            as is_metric_guessed
    from arm_metrics
    left join metrics
        on arm_metrics.metric = metrics.metric
    where
        arm_metrics.is_score
        or arm_metrics.metric in ('{{ var("primary_metric") }}', 'success')
    order by
        arm_metrics.experiment_id asc,
        arm_metrics.candidate_group asc,
        arm_metrics.candidate_version asc,
        {{ deciding_metric_order('arm_metrics') }}
),

control_versions as (
    select
        experiment_id,
        extension_version,
        {{
            version_sort_key_among(
                function('version_sort_key') ~ '(extension_version)',
                'extension_version',
                'experiment_id',
            )
        }} as version_sort_key,
        min(recorded_at) as first_seen_at
    from controls
    group by experiment_id, extension_version
),

anchored_versions as (
    select
        *,
        {{ version_anchor('experiment_id') }} as version_anchor
    from control_versions
),

ordered_versions as (
    select
        experiment_id,
        extension_version,
        row_number() over (
            partition by experiment_id
            order by {{ version_order() }}
        ) as version_position
    from anchored_versions
),

-- one control a task and version, should there be several control groups
version_controls as (
    select distinct on (
        controls.experiment_id,
        controls.task_id,
        controls.extension_version
    )
        controls.*,
        ordered_versions.version_position
    from controls
    inner join ordered_versions
        on
            controls.experiment_id = ordered_versions.experiment_id
            and controls.extension_version = ordered_versions.extension_version
    order by
        controls.experiment_id,
        controls.task_id,
        controls.extension_version,
        controls.experiment_group collate "C"
),

latest_controls as (
    select distinct on (experiment_id, task_id) *
    from version_controls
    order by
        experiment_id asc,
        task_id asc,
        version_position desc
),

-- tasks that the control could be met on: those of the candidate's version
-- where the control ran it, else all its tasks
control_tasks as (
    select
        arms.experiment_id,
        version_controls.task_id,
        arms.candidate_group,
        arms.candidate_version,
        arms.control_experiment_id
    from arms
    left join ordered_versions as same_versions
        on
            arms.control_experiment_id = same_versions.experiment_id
            and arms.candidate_version = same_versions.extension_version
    inner join version_controls
        on
            arms.control_experiment_id = version_controls.experiment_id
            and coalesce(
                same_versions.extension_version,
                version_controls.extension_version
            ) = version_controls.extension_version
),

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

-- the metrics of a pair that two versions of one evaluator scored
evaluator_conflicts as (
    select
        pairs.candidate_result_id,
        pairs.baseline_result_id,
        array_agg(
            distinct coalesce(
                evaluator_metrics.metric, evaluators.evaluator_key
            )
        ) as conflicting_metrics
    from pairs
    cross join
        lateral
        jsonb_each(pairs.baseline_evaluator_versions)
            as evaluators (evaluator_key, evaluator_version)
    left join evaluator_metrics
        on evaluators.evaluator_key = evaluator_metrics.evaluator_key
    where
        pairs.candidate_evaluator_versions != pairs.baseline_evaluator_versions
        and pairs.candidate_evaluator_versions -> evaluators.evaluator_key
        != evaluators.evaluator_version
    group by pairs.candidate_result_id, pairs.baseline_result_id
),

-- the evaluators of a pair whose version one arm alone recorded
one_sided_evaluators as (
    select
        pairs.experiment_id,
        pairs.control_experiment_id,
        pairs.candidate_result_id,
        pairs.baseline_result_id,
        evaluators.evaluator_key
    from pairs
    cross join
        lateral
        jsonb_each_text(
            pairs.candidate_evaluator_versions
            || pairs.baseline_evaluator_versions
        ) as evaluators (evaluator_key, evaluator_version)
    where
        pairs.candidate_evaluator_versions != pairs.baseline_evaluator_versions
        and (
            pairs.candidate_evaluator_versions -> evaluators.evaluator_key
            is null
        ) != (
            pairs.baseline_evaluator_versions -> evaluators.evaluator_key
            is null
        )
),

one_sided_scores as (
    select
        one_sided_evaluators.candidate_result_id,
        one_sided_evaluators.baseline_result_id,
        array_agg(distinct candidate_scores.metric) as one_sided_metrics
    from one_sided_evaluators
    left join evaluator_metrics
        on
            one_sided_evaluators.evaluator_key
            = evaluator_metrics.evaluator_key
    inner join evaluation_scores as candidate_scores
        on
            one_sided_evaluators.experiment_id = candidate_scores.experiment_id
            and one_sided_evaluators.candidate_result_id
            = candidate_scores.result_id
            and coalesce(
                evaluator_metrics.metric, one_sided_evaluators.evaluator_key
            ) = candidate_scores.metric
    inner join evaluation_scores as baseline_scores
        on
            one_sided_evaluators.control_experiment_id
            = baseline_scores.experiment_id
            and one_sided_evaluators.baseline_result_id
            = baseline_scores.result_id
            and candidate_scores.metric = baseline_scores.metric
    where
        candidate_scores.value is not null
        and baseline_scores.value is not null
    group by
        one_sided_evaluators.candidate_result_id,
        one_sided_evaluators.baseline_result_id
),

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
        pairs.is_metric_guessed
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
)

select * from explained
