-- One row per run and metric of every task that one version ran at least twice. Scaled by the
-- greatest value of the arm: the tests do not depend on the scale, and squares stay in range.
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
    from {evaluation_trials}
    where experiment_id = %(experiment_id)s
),

named_values as (
    select
        trials.run,
        fields.metric,
        1 as place,
        fields.metric as name,
        fields.value
    from trials
    cross join
        lateral (
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
