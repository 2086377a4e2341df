-- What a run of an agent costs and takes, over its latest results, and how many tasks its
-- latest experiment has.
with

latest as materialized (
    select
        experiment_id,
        task_id,
        cost_usd,
        latency_ms,
        recorded_at
    from {evaluation_results}
    where agent_name = %(agent)s
    order by recorded_at desc
    limit %(results)s
)

select
    count(*) as results,
    avg(cost_usd) as cost_usd,
    avg(latency_ms) as latency_ms,
    (
        select count(distinct all_of_it.task_id)
        from {evaluation_results} as all_of_it
        where
            all_of_it.agent_name = %(agent)s
            and all_of_it.experiment_id = (
                array_agg(
                    latest.experiment_id
                    order by
                        latest.recorded_at desc,
                        latest.experiment_id asc
                )
            )[1]
    ) as tasks
from latest
