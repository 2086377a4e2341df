-- What the runs of some results were given and answered, where it is kept.
select
    result_id,
    trial_number,
    inputs,
    outputs,
    reference_outputs
from {run_contents}
where
    experiment_id = any(%(experiments)s)
    and result_id = any(%(results)s)
order by result_id, trial_number
limit %(most)s
