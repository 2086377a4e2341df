-- Tasks of a load whose unnamed runs were not asked the same: two tasks with one id?
select
    experiment_id,
    task_id,
    count(distinct asked) as asked_count,
    count(*) over () as task_count
from (
    select
        experiment_id,
        task_id,
        coalesce(
            inputs_id::text,
            metadata ->> 'question',
            metadata ->> 'input',
            metadata ->> 'inputs',
            metadata ->> 'prompt',
            metadata ->> 'query'
        ) as asked
    from raw_evals.evaluation_runs
    where load_id = %(load_id)s and is_id_derived
) as runs
group by experiment_id, task_id
having count(distinct asked) > 1
order by experiment_id, task_id
limit %(most)s
