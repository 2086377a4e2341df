-- One row per unit, metric and reading of `trial_pairs`: what a unit drawn brings with it.
create temporary table trial_units on commit drop as
with

series as (
    select
        metric,
        counts_missing,
        row_number() over (order by metric collate "C", counts_missing)::integer as series,
        bool_and(is_counted) as is_binary,
        max(size) as scale
    from trial_pairs
    group by metric, counts_missing
)

select
    pairs.unit,
    series.series,
    series.metric,
    series.counts_missing,
    series.is_binary,
    series.scale,
    count(*)::integer as tasks,
    sum(pairs.gain) as total,
    (count(*) filter (where pairs.gain > 0))::integer as n_better,
    (count(*) filter (where pairs.gain < 0))::integer as n_worse
from trial_pairs as pairs
inner join series
    on pairs.metric = series.metric and pairs.counts_missing = series.counts_missing
group by
    pairs.unit,
    series.series,
    series.metric,
    series.counts_missing,
    series.is_binary,
    series.scale
