"""The statements of `loader.gate.calibration`: gather values, deal and compare, record."""

from __future__ import annotations

from typing import Final

# One row per run and metric of every task that one version ran at least twice. Scaled by the
# greatest value of the arm: the tests do not depend on the scale, and squares stay in range.
VALUES: Final = """
create temporary table calibration_values on commit drop as
with

trials as (
    select
        dense_rank() over (
            order by
                experiment_group collate "C",
                extension_version collate "C",
                task_id collate "C",
                model_version collate "C"
        ) as unit,
        row_number() over (order by source collate "C", source_run_id collate "C") as run,
        count(*) over (
            partition by experiment_group, extension_version, task_id, model_version
        ) as run_count,
        *
    from {trials}
    where experiment_id = %(experiment_id)s
),

named_values as (
    select trials.run, fields.metric, 1 as place, fields.metric as name, fields.value
    from trials
    cross join lateral (
        values
        ('latency_ms', trials.latency_ms),
        ('tokens_used', trials.tokens_used::float8),
        ('cost_usd', trials.cost_usd)
    ) as fields (metric, value)
    union all
    select
        trials.run,
        coalesce(%(metrics)s::jsonb ->> scores.name, scores.name) as metric,
        2 as place,
        scores.name,
        case jsonb_typeof(scores.score)
            when 'boolean' then scores.score::boolean::integer::float8
            when 'number' then scores.score::float8
        end as value
    from trials
    cross join lateral jsonb_each(trials.scores) as scores (name, score)
    union all
    select
        trials.run,
        measurements.name as metric,
        3 as place,
        measurements.name,
        case
            when jsonb_typeof(measurements.measurement) = 'number'
                then measurements.measurement::float8
        end as value
    from trials
    cross join lateral jsonb_each(trials.measurements) as measurements (name, measurement)
),

-- of several names of one metric, the one that the marts prefer
resolved as (
    select distinct on (run, metric)
        run,
        metric,
        value
    from named_values
    order by run asc, metric asc, place asc, name != metric asc, name collate "C" asc
),

scaled as (
    select
        trials.unit,
        trials.run,
        trials.run_count,
        trials.experiment_group,
        trials.extension_version,
        coalesce(trials.metadata ->> 'cluster_id', 'task ' || trials.unit) as cluster_name,
        resolved.metric,
        resolved.value in (0, 1) as is_binary,
        resolved.value / nullif(
            max(abs(resolved.value)) over (
                partition by
                    trials.experiment_group, trials.extension_version, resolved.metric
            ),
            0
        ) as share
    from trials
    inner join resolved
        on trials.run = resolved.run
    where trials.run_count >= 2 and resolved.value is not null
)

-- numbers in place of names: they are sorted and hashed a million times
select
    unit,
    run,
    dense_rank() over (
        order by experiment_group collate "C", extension_version collate "C", metric collate "C"
    )::integer as series,
    dense_rank() over (order by cluster_name collate "C")::integer as cluster,
    experiment_group,
    extension_version,
    metric,
    is_binary,
    case when abs(share) > 1e-100 then share else 0 end as value
from scaled
"""

COUNT: Final = """
with

-- every run gets a place by a hash of seed, split and run: no two servers differ
dealt as (
    select
        splits.split,
        runs.run,
        row_number() over (
            partition by splits.split, runs.unit
            order by md5(concat_ws(':', %(seed)s::bigint, splits.split, runs.run))::uuid
        ) %% 2 as half
    from generate_series(%(first)s::integer, %(last)s::integer) as splits (split)
    cross join (select distinct unit, run from calibration_values) as runs
),

halves as (
    select
        dealt.split,
        runs.series,
        runs.unit,
        min(runs.cluster) as cluster,
        bool_and(runs.is_binary) as is_binary,
        count(*) filter (where dealt.half = 0) as first_runs,
        count(*) filter (where dealt.half = 1) as second_runs,
        sum(runs.value) filter (where dealt.half = 0) as first_total,
        sum(runs.value) filter (where dealt.half = 1) as second_total
    from dealt
    inner join calibration_values as runs
        on dealt.run = runs.run
    group by dealt.split, runs.series, runs.unit
),

differences as (
    select
        split,
        series,
        cluster,
        is_binary and first_runs = 1 and second_runs = 1 as is_binary,
        -- equal but for rounding is equal, as in the marts
        case
            when
                abs(second_total / second_runs - first_total / first_runs)
                > 1e-12 * greatest(
                    abs(first_total / first_runs), abs(second_total / second_runs)
                )
                then second_total / second_runs - first_total / first_runs
            else 0
        end as difference
    from halves
    where first_runs > 0 and second_runs > 0
),

clusters as (
    select
        split,
        series,
        cluster,
        bool_and(is_binary) as is_binary,
        count(*)::float8 as tasks,
        sum(difference) as total,
        count(*) filter (where difference > 0) as wins,
        count(*) filter (where difference < 0) as losses
    from differences
    group by split, series, cluster
),

-- what leaving a cluster out does to a mean grows with its share of the tasks
shares as (
    select
        *,
        tasks / sum(tasks) over (partition by split, series) as share
    from clusters
),

arms as (
    select
        split,
        series,
        bool_and(is_binary) and count(*) = sum(tasks) as is_binary,
        count(*)::float8 as clusters,
        sum(tasks) as tasks,
        sum(tasks * tasks) as squared_tasks,
        sum(total) / sum(tasks) as mean_difference,
        sum((total / nullif(1 - share, 0)) * (total / nullif(1 - share, 0))) as squared_totals,
        sum((total / nullif(1 - share, 0)) * (tasks / nullif(1 - share, 0))) as weighted_totals,
        sum((tasks / nullif(1 - share, 0)) * (tasks / nullif(1 - share, 0))) as weighted_tasks,
        sum(wins)::float8 as wins,
        sum(losses)::float8 as losses
    from shares
    group by split, series
),

-- the jackknife over clusters; with each task its own cluster, that of the paired t test
errors as (
    select
        *,
        case
            when clusters > 1
                then
                    {functions}.safe_sqrt(
                        greatest(
                            0,
                            squared_totals
                            - 2 * mean_difference * weighted_totals
                            + mean_difference * mean_difference * weighted_tasks
                        )
                        * (clusters - 1) / clusters
                    ) / tasks
        end as standard_error,
        tasks * tasks / squared_tasks - 1 as degrees_of_freedom
    from arms
),

tested as (
    select
        *,
        case
            when clusters < 2 then null
            when wins + losses = 0 then 1
            when is_binary
                then
                    least(
                        1,
                        2 * least(
                            {functions}.mid_p_greater(wins, wins + losses),
                            {functions}.mid_p_greater(losses, wins + losses)
                        )
                    )
            when standard_error * {functions}.safe_sqrt(tasks) < 1e-12
                then {functions}.sign_test_p_value(wins, losses)
            else
                {functions}.student_t_p_value(
                    mean_difference / standard_error, degrees_of_freedom
                )
        end as p_value
    from errors
)

select
    series,
    max(tasks)::integer as task_count,
    count(p_value)::integer as comparisons,
    (count(*) filter (where p_value <= %(alpha)s))::integer as false_alarms
from tested
group by series
"""

RECORD: Final = """
insert into raw_evals.gate_calibrations (
    calibration_id, experiment_id, experiment_group, extension_version, metric,
    loader_version, load_id, seed, splits, comparisons, false_alarms, task_count, run_count,
    alpha, rate, rate_low, rate_high
)
select
    %(calibration_id)s,
    %(experiment_id)s,
    counts.experiment_group,
    counts.extension_version,
    counts.metric,
    %(loader_version)s,
    %(load_id)s,
    %(seed)s,
    %(splits)s,
    counts.comparisons,
    counts.false_alarms,
    counts.task_count,
    counts.run_count,
    %(alpha)s,
    counts.false_alarms::float8 / nullif(counts.comparisons, 0),
    {functions}.wilson_lower(counts.false_alarms, counts.comparisons, 0.05),
    {functions}.wilson_upper(counts.false_alarms, counts.comparisons, 0.05)
from jsonb_to_recordset(%(counts)s) as counts (
    experiment_group text,
    extension_version text,
    metric text,
    task_count integer,
    run_count integer,
    comparisons integer,
    false_alarms integer
)
returning
    experiment_group, extension_version, metric, task_count, run_count, comparisons,
    false_alarms, rate, rate_low, rate_high, alpha
"""
