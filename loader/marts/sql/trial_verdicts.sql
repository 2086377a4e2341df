-- What the rule says of some trials at every planted loss: one row per trial and level. A trial
-- draws as many units as there are, with all that belongs to them; in each the arms change
-- places by the toss of a coin, so that nothing differs but by chance. Every draw is a hash of
-- the seed and the place: no two servers differ. Trial 0 is the comparison as it is.
with

hashed as (
    select
        trials.trial,
        places.place,
        md5(concat_ws(':', %(seed)s::bigint, trials.trial, places.place)) as hash
    from generate_series(%(first)s::integer, %(last)s::integer) as trials (trial)
    cross join generate_series(1, %(units)s::integer) as places (place)
),

drawn as materialized (
    select
        trial,
        place,
        case
            when trial = 0 then place
            else 1 + (('x' || substr(hash, 1, 8))::bit(32)::bigint * %(units)s >> 32)::integer
        end as unit,
        trial > 0 and substr(hash, 9, 1) < '8' as is_swapped,
        ('x' || substr(hash, 17, 8))::bit(32)::bigint / 4294967296.0::float8 as luck
    from hashed
),

losses as (
    select
        (level - 1)::integer as level,
        loss,
        ln(1 + loss) as log_loss,
        rate
    from
        unnest(%(losses)s::float8[], %(rates)s::float8[])
        with ordinality as asked (loss, rate, level)
),

-- the arm that is the candidate's in this trial
targets as (
    select
        drawn.trial,
        drawn.place,
        drawn.luck,
        pairs.task,
        pairs.is_alone,
        pairs.counts_missing,
        pairs.kind,
        pairs.is_ratio,
        pairs.sign,
        pairs.unit_of,
        pairs.is_binary,
        pairs.coefficient,
        case when drawn.is_swapped then -pairs.gain else pairs.gain end as gain,
        case when drawn.is_swapped then -pairs.mean_gain else pairs.mean_gain end as mean_gain,
        case when drawn.is_swapped then -pairs.rest else pairs.rest end as rest,
        case when drawn.is_swapped then pairs.baseline else pairs.candidate end as value,
        case when drawn.is_swapped then pairs.baseline_scored else pairs.candidate_scored end
            as runs,
        case when drawn.is_swapped then pairs.baseline_share else pairs.candidate_share end
            as share
    from drawn
    inner join trial_targets as pairs
        on drawn.unit = pairs.unit
),

-- each good run has its luck: below the rate of a loss it turns
lucky as materialized (
    select
        *,
        round(case when sign > 0 then value else 1 - value end * runs)::integer as good_runs,
        case
            when is_binary and (runs > 1 or not is_alone)
                then array(
                    select
                        (
                            'x' || substr(
                                md5(concat_ws(
                                    ':', %(seed)s::bigint, trial, place, task, runs.run
                                )),
                                1, 8
                            )
                        )::bit(32)::bigint / 4294967296.0::float8
                    from
                        generate_series(
                            1,
                            round(
                                case when sign > 0 then value else 1 - value end * runs
                            )::integer
                        ) as runs (run)
                )
        end as lucks
    from targets
),

planted as (
    select
        lucky.trial,
        lucky.place,
        lucky.is_alone,
        lucky.counts_missing,
        lucky.gain,
        lucky.rest,
        lucky.coefficient,
        lucky.mean_gain,
        losses.level,
        case
            when lucky.gain is null or lucky.value is null then 0
            when lucky.is_ratio then losses.log_loss * (lucky.value > 0)::integer
            when lucky.is_binary and lucky.lucks is null
                then
                    (lucky.good_runs = 1 and lucky.luck < losses.rate)::integer * lucky.share
            when lucky.is_binary
                then
                    (
                        select count(*)
                        from unnest(lucky.lucks) as lucks (luck)
                        where lucks.luck < losses.rate
                    ) * lucky.share / lucky.runs
            when lucky.kind != 'score' then losses.loss / lucky.unit_of
            -- no score leaves its scale
            when lucky.sign > 0
                then least(losses.loss, greatest(lucky.value, 0)) * lucky.share
            else least(losses.loss, greatest(1 - lucky.value, 0)) * lucky.share
        end as lost
    from lucky
    cross join losses
),

-- what rounding leaves of no difference is none
differences as not materialized (
    select
        *,
        case when abs(gain - lost) <= 1e-12 then 0 else gain - lost end as difference
    from planted
),

of_places as (
    select
        trial,
        level,
        counts_missing,
        (gain is not null)::integer as tasks,
        1 as all_tasks,
        lost as all_lost,
        coalesce(difference, 0) as total,
        coalesce(rest, 0) + coalesce(coefficient, 0) * coalesce(difference, mean_gain)
            as composite,
        (difference > 0)::integer as n_better,
        (difference < 0)::integer as n_worse
    from differences
    where is_alone
    union all
    select
        trial,
        level,
        counts_missing,
        count(gain)::integer as tasks,
        count(*)::integer as all_tasks,
        sum(lost) as all_lost,
        coalesce(sum(difference), 0) as total,
        sum(coalesce(rest, 0) + coalesce(coefficient, 0) * coalesce(difference, mean_gain))
            as composite,
        (count(*) filter (where difference > 0))::integer as n_better,
        (count(*) filter (where difference < 0))::integer as n_worse
    from differences
    where not is_alone
    group by trial, level, counts_missing, place
),

-- by the size of a unit: what leaving one out does grows with its share of the tasks
target_sizes as materialized (
    select
        trial,
        level,
        counts_missing,
        tasks,
        all_tasks,
        count(*) as n_units,
        sum(all_lost) as lost,
        sum(total) as total,
        sum(total * total) as squares,
        sum(composite) as composite,
        sum(composite * composite) as composite_squares,
        sum(n_better) as n_better,
        sum(n_worse) as n_worse
    from of_places
    group by trial, level, counts_missing, tasks, all_tasks
),

other_sizes as (
    select
        drawn.trial,
        units.series,
        units.tasks,
        count(*) as n_units,
        sum(case when drawn.is_swapped then -units.total else units.total end) as total,
        sum(units.total * units.total) as squares,
        sum(case when drawn.is_swapped then units.n_worse else units.n_better end) as n_better,
        sum(case when drawn.is_swapped then units.n_better else units.n_worse end) as n_worse
    from drawn
    inner join trial_units as units
        on drawn.unit = units.unit
    where units.metric != %(metric)s
    group by drawn.trial, units.series, units.tasks
),

series as (
    select distinct
        series,
        metric,
        counts_missing,
        is_binary,
        scale
    from trial_units
),

by_size as (
    select
        other_sizes.trial,
        null::integer as level,
        series.metric,
        series.counts_missing,
        other_sizes.tasks,
        other_sizes.n_units,
        other_sizes.total,
        other_sizes.squares,
        other_sizes.n_better,
        other_sizes.n_worse
    from other_sizes
    inner join series
        on other_sizes.series = series.series
    union all
    select
        trial,
        level,
        %(metric)s::text as metric,
        counts_missing,
        tasks,
        n_units,
        total,
        squares,
        n_better,
        n_worse
    from target_sizes
    where tasks > 0
    union all
    select
        trial,
        level,
        '' as metric,
        false as counts_missing,
        all_tasks as tasks,
        n_units,
        composite as total,
        composite_squares as squares,
        0 as n_better,
        0 as n_worse
    from target_sizes
    where not counts_missing and %(has_composite)s
),

sized as (
    select
        *,
        sum(tasks * n_units) over of_one as n_pairs,
        sum(total) over of_one / sum(tasks * n_units) over of_one as mean_gain
    from by_size
    window of_one as (partition by trial, level, metric, counts_missing)
),

-- the jackknife over units; with each task its own, the error of a mean
moments as (
    select
        trial,
        level,
        metric,
        counts_missing,
        max(n_pairs)::bigint as n_pairs,
        max(tasks) > 1 as is_clustered,
        max(n_pairs)::float8 * max(n_pairs)::float8 / sum(tasks::float8 * tasks * n_units)
            as effective_clusters,
        max(mean_gain) as improvement,
        sum(n_better)::bigint as n_better,
        sum(n_worse)::bigint as n_worse,
        case
            when sum(n_units) > 1
                then
                    sqrt(
                        greatest(0, sum(
                            (
                                squares - 2 * mean_gain * tasks * total
                                + mean_gain * mean_gain * tasks * tasks * n_units
                            ) / (1 - tasks / n_pairs::float8) ^ 2
                        ))
                        * (sum(n_units) - 1)::float8 / sum(n_units)::float8
                    ) / max(n_pairs)::float8
        end as improvement_error
    from sized
    where tasks < n_pairs
    group by trial, level, metric, counts_missing
),

readings as (
    select
        moments.*,
        coalesce(series.is_binary, false) as is_binary,
        coalesce(series.scale, 1) as scale
    from moments
    left join series
        on moments.metric = series.metric and moments.counts_missing = series.counts_missing
),

verdicts as (
    select *
    from
        {judge_readings}(
            %(experiment_id)s,
            %(settings)s,
            (select jsonb_agg(to_jsonb(readings)) from readings)
        )
),

counts as (
    select
        level,
        count(*) as trials,
        count(*) filter (where recommendation = 'reject') as rejected,
        count(*) filter (where recommendation = 'needs_review') as reviewed,
        count(*) filter (where recommendation = 'deploy') as deployed
    from verdicts
    group by level
),

-- what was really lost, which the end of a scale may make less than was asked for
lost as (
    select
        level,
        sum(lost) as lost,
        sum(tasks * n_units)::bigint as tasks
    from target_sizes
    where not counts_missing
    group by level
)

select
    counts.level,
    counts.trials,
    counts.rejected,
    counts.reviewed,
    counts.deployed,
    lost.lost,
    lost.tasks
from counts
inner join lost
    on counts.level = lost.level
order by counts.level
