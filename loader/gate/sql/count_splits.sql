with

each_run as (
    select distinct
        unit,
        run
    from calibration_values
),

-- every run gets a place by a hash of seed, split and run: no two servers differ
dealt as (
    select
        splits.split,
        runs.unit,
        runs.run,
        mod(
            row_number() over (
                partition by splits.split, runs.unit
                order by md5(concat_ws(':', %(seed)s::bigint, splits.split, runs.run))::uuid
            ),
            2
        ) = 0 as is_first
    from generate_series(%(first)s::integer, %(last)s::integer) as splits (split)
    cross join each_run as runs
),

deals as materialized (
    select
        split,
        unit,
        array_agg(run order by run) filter (where is_first) as first_runs
    from dealt
    group by split, unit
),

-- a task of a few runs can be dealt in a few ways only: each is worked out once
ways as materialized (
    select
        unit,
        first_runs,
        row_number() over (order by unit, first_runs) as way
    from deals
    group by unit, first_runs
),

halves as (
    select
        ways.way,
        runs.series,
        min(runs.cluster) as cluster,
        bool_and(runs.is_binary) as is_binary,
        count(*) filter (where runs.run = any(ways.first_runs)) as first_runs,
        count(*) filter (where runs.run != all(ways.first_runs)) as second_runs,
        sum(runs.value) filter (where runs.run = any(ways.first_runs)) as first_total,
        sum(runs.value) filter (where runs.run != all(ways.first_runs)) as second_total
    from ways
    inner join calibration_values as runs
        on ways.unit = runs.unit
    group by ways.way, runs.series
),

differences as (
    select
        way,
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
        deals.split,
        differences.series,
        differences.cluster,
        bool_and(differences.is_binary) as is_binary,
        count(*)::float8 as tasks,
        sum(differences.difference) as total,
        count(*) filter (where differences.difference > 0) as wins,
        count(*) filter (where differences.difference < 0) as losses
    from deals
    inner join ways
        on deals.unit = ways.unit and deals.first_runs = ways.first_runs
    inner join differences
        on ways.way = differences.way
    group by deals.split, differences.series, differences.cluster
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
