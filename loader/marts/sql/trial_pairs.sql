-- One row per task of an agent's comparison, metric with a say and reading of it: what one arm
-- scored and what the other, and the gain between them on the scale of the margin. A unit is a
-- cluster of tasks, or a task that stands alone.
create temporary table trial_pairs on commit drop as
with

metrics as (
    select
        metric,
        kind,
        is_of_ratio_kind and not is_difference_instead as is_ratio,
        case when direction = 'lower' then -1 else 1 end as sign,
        -- what a difference is divided by
        case when is_difference_instead then nullif(abs(baseline_mean), 0) else 1 end as unit_of
    from {experiment_segment_comparisons}
    where
        experiment_id = %(experiment_id)s
        and candidate_group = %(candidate_group)s
        and candidate_version = %(candidate_version)s
        and segment_kind = 'agent'
        and segment = %(agent)s
        and role != 'none'
),

tasks as (
    select
        pairs.experiment_id,
        pairs.candidate_result_id,
        pairs.baseline_experiment_id,
        pairs.baseline_result_id,
        candidates.success_rate as candidate_success,
        baselines.success_rate as baseline_success,
        candidates.said_repetitions as candidate_said,
        baselines.said_repetitions as baseline_said,
        coalesce(candidates.repetitions, 0) as candidate_runs,
        coalesce(baselines.repetitions, 0) as baseline_runs,
        -- of two versions of an evaluator only what it scored cannot be compared
        case
            when pairs.not_comparable_reason = 'evaluator_version_differs'
                then pairs.primary_metric
        end as incomparable_metric,
        row_number() over (order by pairs.task_id collate "C")::integer as task,
        dense_rank() over (
            order by
                coalesce(
                    'cluster ' || nullif(coalesce(
                        candidates.metadata ->> 'cluster_id', baselines.metadata ->> 'cluster_id'
                    ), ''),
                    'task ' || pairs.task_id
                ) collate "C"
        )::integer as unit
    from {evaluation_comparison_view} as pairs
    left join {evaluation_results} as candidates
        on
            pairs.experiment_id = candidates.experiment_id
            and pairs.candidate_result_id = candidates.result_id
    left join {evaluation_results} as baselines
        on
            coalesce(pairs.baseline_experiment_id, pairs.experiment_id) = baselines.experiment_id
            and pairs.baseline_result_id = baselines.result_id
    where
        pairs.experiment_id = %(experiment_id)s
        and pairs.candidate_group = %(candidate_group)s
        and pairs.candidate_version = %(candidate_version)s
        and coalesce(candidates.agent_name, baselines.agent_name) = %(agent)s
        -- what an arm lacks counts in the second reading of a score
        and coalesce(pairs.not_comparable_reason, '') != 'dataset_version_differs'
        and not pairs.is_quarantined
),

scores as (
    select
        tasks.task,
        found.metric,
        1 as arm,
        found.value,
        found.repetitions,
        found.is_binary
    from tasks
    inner join {evaluation_scores} as found
        on
            tasks.experiment_id = found.experiment_id
            and tasks.candidate_result_id = found.result_id
    union all
    select
        tasks.task,
        found.metric,
        2 as arm,
        found.value,
        found.repetitions,
        found.is_binary
    from tasks
    inner join {evaluation_scores} as found
        on
            coalesce(tasks.baseline_experiment_id, tasks.experiment_id) = found.experiment_id
            and tasks.baseline_result_id = found.result_id
    union all
    select
        tasks.task,
        'success' as metric,
        ends.arm,
        ends.rate as value,
        ends.said as repetitions,
        true as is_binary
    from tasks
    cross join
        lateral (
            values
            (1, tasks.candidate_success, tasks.candidate_said),
            (2, tasks.baseline_success, tasks.baseline_said)
        ) as ends (arm, rate, said)
    where ends.rate is not null
),

side_by_side as (
    select
        task,
        metric,
        max(value) filter (where arm = 1)::float8 as candidate,
        max(value) filter (where arm = 2)::float8 as baseline,
        coalesce(max(repetitions) filter (where arm = 1), 0) as candidate_scored,
        coalesce(max(repetitions) filter (where arm = 2), 0) as baseline_scored,
        bool_and(is_binary) as is_binary
    from scores
    group by task, metric
),

placed as (
    select
        tasks.task,
        tasks.unit,
        metrics.metric,
        metrics.kind,
        metrics.is_ratio,
        metrics.sign,
        metrics.unit_of,
        values_of.candidate,
        values_of.baseline,
        tasks.candidate_runs,
        tasks.baseline_runs,
        coalesce(values_of.candidate_scored, 0) as candidate_scored,
        coalesce(values_of.baseline_scored, 0) as baseline_scored,
        coalesce(values_of.is_binary, true) as is_binary,
        -- the share of an arm's runs that have a value
        case
            when values_of.candidate is null then 0
            else least(1, values_of.candidate_scored::float8 / greatest(tasks.candidate_runs, 1))
        end as candidate_share,
        case
            when values_of.baseline is null then 0
            else least(1, values_of.baseline_scored::float8 / greatest(tasks.baseline_runs, 1))
        end as baseline_share
    from tasks
    cross join metrics
    left join side_by_side as values_of
        on tasks.task = values_of.task and metrics.metric = values_of.metric
    where tasks.incomparable_metric is distinct from metrics.metric
),

-- scores that lack a run somewhere are read twice
incomplete as (
    select metric
    from placed
    where kind = 'score' and least(candidate_share, baseline_share) < 1
    group by metric
),

readings as (
    select
        placed.*,
        false as counts_missing,
        placed.candidate as read_candidate,
        placed.baseline as read_baseline,
        greatest(placed.candidate_scored, placed.baseline_scored) as most_runs
    from placed
    where placed.candidate is not null and placed.baseline is not null
    union all
    select
        placed.*,
        true as counts_missing,
        coalesce(placed.candidate, 0) * placed.candidate_share
        + (1 - placed.sign) / 2.0 * (1 - placed.candidate_share) as read_candidate,
        coalesce(placed.baseline, 0) * placed.baseline_share
        + (1 - placed.sign) / 2.0 * (1 - placed.baseline_share) as read_baseline,
        greatest(placed.candidate_runs, placed.baseline_runs) as most_runs
    from placed
    inner join incomplete
        on placed.metric = incomplete.metric
),

gains as (
    select
        *,
        sign * case
            when is_ratio and read_candidate = 0 and read_baseline = 0 then 0
            when is_ratio and read_candidate > 0 and read_baseline > 0
                then ln(read_candidate / read_baseline)
            when is_ratio then null
            -- equal but for rounding is equal, as in the marts
            when
                abs(read_candidate - read_baseline)
                <= 1e-12 * greatest(abs(read_candidate), abs(read_baseline))
                then 0
            else (read_candidate - read_baseline) / unit_of
        end as gain
    from readings
)

select
    task,
    unit,
    metric,
    counts_missing,
    kind,
    is_ratio,
    sign,
    unit_of,
    is_binary,
    candidate,
    baseline,
    candidate_scored,
    baseline_scored,
    case when counts_missing then candidate_share else 1 end as candidate_share,
    case when counts_missing then baseline_share else 1 end as baseline_share,
    gain,
    greatest(abs(read_candidate), abs(read_baseline)) as size,
    kind in ('score', 'success')
    and most_runs <= 1
    and read_candidate in (0, 1)
    and read_baseline in (0, 1) as is_counted
from gains
where gain is not null
