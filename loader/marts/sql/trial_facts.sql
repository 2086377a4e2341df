-- What there is to draw from, and what share of the runs is good, of both arms alike.
select
    (select max(unit) from trial_pairs) as units,
    (select count(distinct task) from trial_pairs) as tasks,
    (select array_agg(distinct metric) from trial_pairs) as metrics,
    coalesce(bool_or(coefficient is not null or rest is not null), false) as has_composite,
    coalesce(max(kind), '') as kind,
    coalesce(bool_and(is_ratio), false) as is_ratio,
    coalesce(bool_and(is_binary) filter (where not counts_missing), false) as is_binary,
    avg(
        case
            when counts_missing then null
            when sign > 0 then (candidate + baseline) / 2
            else 1 - (candidate + baseline) / 2
        end
    ) as good_share
from trial_targets
