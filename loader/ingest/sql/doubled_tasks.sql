-- Tasks of a load whose unnamed runs were not asked the same: two tasks with one id?
with

unnamed as (
    select
        experiment_id,
        task_id,
        inputs_id,
        metadata
    from incoming
    where is_id_derived
    union all
    select
        experiment_id,
        task_id,
        inputs_id,
        metadata
    from raw_evals.evaluation_runs
    where load_id = %(load_id)s and is_id_derived
)

select
    task_id,
    count(*) over () as task_count
from unnamed
group by experiment_id, task_id
having
    count(
        distinct coalesce(
            inputs_id::text,
            metadata ->> 'question',
            metadata ->> 'input',
            metadata ->> 'inputs',
            metadata ->> 'prompt',
            metadata ->> 'query'
        )
    ) > 1
order by experiment_id, task_id
limit %(most)s
