-- What some results count with: the mean over the runs that have a value.
select
    result_id,
    metric,
    kind,
    value,
    value_stddev,
    repetitions
from {evaluation_scores}
where
    experiment_id = any(%(experiments)s)
    and result_id = any(%(results)s)
order by
    array_position(
        array['score', 'success', 'latency', 'tokens', 'cost'], kind
    ) nulls last,
    metric,
    result_id
limit %(most)s
