with recursive compared as (
    select
        metric,
        kind,
        direction,
        direction_source,
        is_declared,
        weight::float8 as weight,
        margin_pct,
        role,
        role_note,
        experiment_id
    from {experiment_metric_comparisons}
    where %(experiment)s::text is null or experiment_id = %(experiment)s
),

metrics as (
    select
        metric,
        kind,
        max(direction) as direction,
        max(direction_source) as direction_source,
        bool_or(is_declared) as is_declared,
        max(weight) as weight,
        max(margin_pct) as margin_pct,
        count(distinct experiment_id)::integer as experiments,
        count(distinct experiment_id) filter (where role = 'deciding')::integer as deciding,
        count(distinct experiment_id) filter (where role = 'guardrail')::integer as guardrail,
        count(distinct experiment_id) filter (where role = 'success')::integer as success,
        count(distinct experiment_id) filter (where role = 'tripwire')::integer as tripwire,
        count(distinct experiment_id) filter (where role = 'none')::integer as none,
        array_remove(array_agg(distinct role_note order by role_note), null) as role_notes
    from compared
    group by metric, kind
),

-- from each name to the next by the index: of millions of scores few are read
every_name as (
    (
        select
            metric,
            kind
        from {evaluation_scores}
        where %(experiment)s::text is null
        order by metric, kind
        limit 1
    )
    union all
    select
        following.metric,
        following.kind
    from every_name
    cross join lateral (
        select
            scores.metric,
            scores.kind
        from {evaluation_scores} as scores
        where (scores.metric, scores.kind) > (every_name.metric, every_name.kind)
        order by scores.metric, scores.kind
        limit 1
    ) as following
),

names as (
    select
        metric,
        kind
    from every_name
    union distinct
    select
        metric,
        kind
    from {evaluation_scores}
    where experiment_id = %(experiment)s::text
),

-- of no comparison; a count for each, which reads the index of that one alone
alone as (
    select
        names.metric,
        names.kind,
        counted.experiments
    from names
    left join metrics
        on names.metric = metrics.metric and names.kind = metrics.kind
    cross join
        lateral (
            select count(distinct scores.experiment_id)::integer as experiments
            from {evaluation_scores} as scores
            where
                scores.metric = names.metric
                and scores.kind = names.kind
                and (%(experiment)s::text is null or scores.experiment_id = %(experiment)s)
        ) as counted
    where metrics.metric is null
)

select * from metrics
union all
select
    metric,
    kind,
    null as direction,
    null as direction_source,
    null as is_declared,
    null as weight,
    null as margin_pct,
    experiments,
    0 as deciding,
    0 as guardrail,
    0 as success,
    0 as tripwire,
    experiments as none,
    array['one_arm_only'] as role_notes
from alone
order by
    deciding desc, guardrail desc, success desc, tripwire desc, weight desc nulls last, metric asc
