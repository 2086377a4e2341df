{#
    The composite of each comparison: the weighted mean of the improvements of
    its deciding metric and guardrails, each in units of its margin, so that
    what one may lose weighs the same in all. Its error is what leaving a
    cluster, or a task that stands alone, out of every metric does to it (the
    jackknife): metrics that move together are counted together.
#}
{%- set key = [
    "experiment_id",
    "candidate_group",
    "candidate_version",
    "segment",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        meta={"settings": ["alpha", "planned_tasks"]},
        pre_hook=[
            "set local enable_mergejoin = off",
            "set local enable_sort = off",
            "set local work_mem = '64MB'",
        ],
    )
}}
{%- set alpha = var('alpha') %}

with

all_metric_pairs as not materialized (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

metric_pairs as not materialized (
    select *
    from all_metric_pairs
    where not is_quarantined
),

evidence as (
    {{ changed_rows(ref('int_metric_evidence')) }}
),

parts as (
    select
        *,
        is_of_ratio_kind and not is_difference_instead as is_ratio,
        case
            when is_of_ratio_kind and not is_difference_instead
                then n_pairs - n_ratio_excluded
            else n_pairs
        end as n_part_pairs,
        greatest(coalesce(weight, 0), 0) as own_weight,
        sum(greatest(coalesce(weight, 0), 0)) over comparisons as all_weights,
        count(*) over comparisons as n_parts,
        case when direction = 'lower' then -1 else 1 end as direction_sign
    from evidence
    where
        improvement is not null
        and improvement_margin > 0
        and (
            role = 'deciding'
            or (role = 'guardrail' and weight > 0)
        )
        and n_pairs - case
            when is_of_ratio_kind and not is_difference_instead
                then n_ratio_excluded
            else 0
        end > 1
    window comparisons as (
        partition by
            experiment_id, candidate_group, candidate_version, segment
        order by metric
        rows between unbounded preceding and unbounded following
    )
),

counted_parts as (
    select
        *,
        bool_or(own_weight = 0) over (
            partition by
                experiment_id, candidate_group, candidate_version, segment
        ) as has_weightless_part
    from parts
    where n_parts > 1
),

-- a deciding metric without a weight weighs as much as all others together
weighed_parts as materialized (
    select
        *,
        dense_rank() over (
            order by experiment_id, candidate_group, candidate_version, segment
        ) as comparison_number,
        case
            when own_weight > 0 and has_weightless_part
                then 0.5 * own_weight / all_weights
            when own_weight > 0 then own_weight / all_weights
            else 0.5
        end / improvement_margin as coefficient
    from counted_parts
),

segmented_pairs as (
    select
        *,
        '' as segment,
        {{ bounded_value('baseline_value') }} as baseline,
        {{ bounded_value('candidate_value') }} as candidate
    from metric_pairs
    where
        is_comparable
        and baseline_value is not null
        and candidate_value is not null
    union all
    select
        metric_pairs.*,
        pair_segments.segment,
        {{ bounded_value('metric_pairs.baseline_value') }} as baseline,
        {{ bounded_value('metric_pairs.candidate_value') }} as candidate
    from metric_pairs
    cross join
        lateral
        unnest(metric_pairs.segments) as pair_segments (segment)
    where
        metric_pairs.is_comparable
        and metric_pairs.baseline_value is not null
        and metric_pairs.candidate_value is not null
        and metric_pairs.segments is not null
),

-- read twice: hardly any comparison has both lone tasks and clusters
part_values as not materialized (
    select
        weighed_parts.comparison_number,
        weighed_parts.metric,
        weighed_parts.coefficient,
        weighed_parts.n_part_pairs,
        weighed_parts.improvement,
        segmented_pairs.task_id,
        segmented_pairs.cluster_id,
        weighed_parts.direction_sign * case
            when weighed_parts.is_ratio
                then {{ pair_log_ratio(
                    'segmented_pairs.kind',
                    'segmented_pairs.baseline',
                    'segmented_pairs.candidate',
                ) }}
            else
                {{ pair_difference(
                    'segmented_pairs.baseline',
                    'segmented_pairs.candidate',
                ) }}
                / case
                    when weighed_parts.is_difference_instead
                        then abs(weighed_parts.baseline_mean)
                    else 1
                end
        end as task_improvement
    from segmented_pairs
    inner join weighed_parts
        on
            {{
                is_same_comparison(
                    'segmented_pairs', 'weighed_parts', ['segment', 'metric']
                )
            }}
),

-- a task that stands alone is a cluster of one
task_influences as (
    select
        comparison_number,
        task_id as member,
        1::bigint as n_tasks,
        sum(
            coefficient * (task_improvement - improvement) / (n_part_pairs - 1)
            order by metric
        ) as influence
    from part_values
    where cluster_id is null
    group by comparison_number, task_id
),

clustered_values as materialized (
    select *
    from part_values
    where cluster_id is not null and task_improvement is not null
),

part_clusters as (
    select
        comparison_number,
        cluster_id,
        metric,
        coefficient * sum(task_improvement - improvement order by task_id)
        / nullif(n_part_pairs - count(*), 0) as influence
    from clustered_values
    group by
        comparison_number, cluster_id, metric, coefficient, n_part_pairs
),

cluster_tasks as (
    select
        comparison_number,
        cluster_id,
        count(distinct task_id) as n_tasks
    from clustered_values
    group by comparison_number, cluster_id
),

-- under one another and not joined: nobody tells the planner how many clusters
-- there are, and it would loop over all of them for each
of_clusters as (
    select
        comparison_number,
        cluster_id,
        metric,
        influence,
        null::bigint as n_tasks
    from part_clusters
    union all
    select
        comparison_number,
        cluster_id,
        null as metric,
        null as influence,
        n_tasks
    from cluster_tasks
),

cluster_influences as (
    select
        comparison_number,
        cluster_id as member,
        min(n_tasks) as n_tasks,
        -- without this cluster a part would have no value left
        case
            when bool_and(influence is not null or metric is null)
                then sum(influence order by metric)
        end as influence
    from of_clusters
    group by comparison_number, cluster_id
),

influences as (
    select * from task_influences
    -- null where the task has a value in no part
    where influence is not null
    union all
    select * from cluster_influences
),

moments as (
    select
        comparison_number,
        sum(n_tasks) as n_tasks,
        count(*) as n_clusters,
        sum(n_tasks * n_tasks)::float8 as squared_sizes,
        case
            when bool_and(influence is not null)
                then
                    sum(
                        {{ bounded_square('influence') }}
                        order by n_tasks, member, influence
                    )
        end as squared_influences
    from influences
    group by comparison_number
),

composites as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        comparison_number,
        sum(coefficient * improvement order by metric) as composite_improvement
    from weighed_parts
    group by
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        comparison_number
),

errors as materialized (
    select
        composites.experiment_id,
        composites.candidate_group,
        composites.candidate_version,
        composites.segment,
        composites.composite_improvement,
        moments.n_tasks::bigint as n_tasks,
        moments.n_clusters,
        moments.n_tasks::float8 * moments.n_tasks / moments.squared_sizes
            as effective_clusters,
        case
            when moments.n_clusters < 2 then null
            when
                sqrt(moments.squared_influences)
                > {{ rounding_noise() }}
                * greatest(abs(composites.composite_improvement), 1)
                then
                    sqrt(
                        moments.squared_influences * (moments.n_clusters - 1)
                        / moments.n_clusters
                    )
            when moments.squared_influences is not null then 0
        end as composite_error
    from composites
    inner join moments
        on composites.comparison_number = moments.comparison_number
),

-- the names that the one-sided tests go by
named as (
    select
        *,
        composite_improvement as improvement,
        composite_error as improvement_error,
        effective_clusters as improvement_clusters,
        effective_clusters - 1 as improvement_degrees_of_freedom,
        case
            when composite_error is null then 'none'
            when composite_error = 0 then 'sign_test'
            else 't'
        end as method,
        true as is_of_ratio_kind,
        1::float8 as scale,
        0::bigint as n_better,
        0::bigint as n_worse
    from errors
),

all_degrees_of_freedom as (
    select distinct improvement_degrees_of_freedom as degrees_of_freedom
    from named
    where method = 't'
),

-- a quantile is a search: once for each number of degrees of freedom
quantiles as materialized (
    select
        degrees_of_freedom,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, degrees_of_freedom
        ) as critical_value
    from all_degrees_of_freedom
),

tests as materialized (
    select
        named.*,
        quantiles.critical_value * named.composite_error as half_width,
        {{ p_value_of_own_side() }} as p_of_own_side
    from named
    left join quantiles
        on
            named.method = 't'
            and named.improvement_degrees_of_freedom
            = quantiles.degrees_of_freedom
),

composite_improvements as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        n_tasks,
        n_clusters,
        effective_clusters,
        composite_improvement,
        composite_error,
        case when n_clusters > 1 then improvement_degrees_of_freedom end
            as composite_degrees_of_freedom,
        composite_improvement - half_width as composite_low,
        composite_improvement + half_width as composite_high,
        {{ p_value_of_gain('improvement') }} as p_better,
        {{ p_value_of_gain('-improvement') }} as p_worse,
        {{ anytime_p_value_of_gain('improvement') }} as p_better_anytime,
        {{ anytime_p_value_of_gain('-improvement') }} as p_worse_anytime
    from tests
)

select * from composite_improvements
