with compared as (
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

alone as (
    select
        scores.metric,
        scores.kind,
        count(distinct scores.experiment_id)::integer as experiments
    from {evaluation_scores} as scores
    where
        (%(experiment)s::text is null or scores.experiment_id = %(experiment)s)
        and not exists (
            select 1 from metrics
            where metrics.metric = scores.metric and metrics.kind = scores.kind
        )
    group by scores.metric, scores.kind
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
