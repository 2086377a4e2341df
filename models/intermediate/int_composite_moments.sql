{#
    The weighted improvement of each comparison and its squared influences. The
    weighted improvement is a sum of relative changes of means, so a task moves
    it by the weighted sum of the linearised changes (the delta method's
    influence function): metrics that move together are counted together.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
        ],
        indexes=[{"columns": ["experiment_id"]}],
        pre_hook=[
            "{{
                start_build(
                    parents=[
                        'int_metric_pairs',
                        'int_metric_pair_moments',
                    ],
                    include_linked=true,
                )
            }}",
            "set local enable_mergejoin = off",
            "set local work_mem = '64MB'",
        ],
        post_hook="{{ finish_build() }}",
    )
}}
with

metric_pairs as (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

moments as (
    {{ changed_rows(ref('int_metric_pair_moments')) }}
),

-- a relative change needs a baseline, and squares that stay in range
usable_moments as (
    select
        *,
        weight / sum(weight) over (
            partition by experiment_id, candidate_group, candidate_version
        ) as share
    from moments
    where
        segment = ''
        and weight > 0
        and n_pairs > 0
        and abs(baseline_mean) > 1e-12 * baseline_scale
        and abs(baseline_mean) between 1e-20 and 1e20
        and greatest(baseline_scale, candidate_scale) < 1e40
),

legs as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        direction_sign * share / abs(baseline_mean) / n_pairs as unit_influence,
        case
            when abs(candidate_mean) > 1e-40 then candidate_mean / baseline_mean
            else 0
        end as mean_ratio,
        share * direction_sign * mean_difference / abs(baseline_mean)
            as weighted_change,
        n_pairs
    from usable_moments
),

task_influences as (
    select
        metric_pairs.experiment_id,
        metric_pairs.task_id,
        metric_pairs.candidate_group,
        metric_pairs.candidate_version,
        metric_pairs.cluster_id,
        sum(
            legs.unit_influence * (
                case
                    when abs(metric_pairs.candidate_value) > 1e-40
                        then metric_pairs.candidate_value
                    else 0
                end
                - legs.mean_ratio * case
                    when abs(metric_pairs.baseline_value) > 1e-40
                        then metric_pairs.baseline_value
                    else 0
                end
            )
        ) as influence
    from metric_pairs
    inner join legs
        on
            metric_pairs.experiment_id = legs.experiment_id
            and metric_pairs.candidate_group = legs.candidate_group
            and metric_pairs.candidate_version = legs.candidate_version
            and metric_pairs.metric = legs.metric
    where
        metric_pairs.is_comparable
        and metric_pairs.baseline_value is not null
        and metric_pairs.candidate_value is not null
    group by
        metric_pairs.experiment_id,
        metric_pairs.task_id,
        metric_pairs.candidate_group,
        metric_pairs.candidate_version,
        metric_pairs.cluster_id
),

-- one row a cluster; tasks without one share a row, of clusters of one task
clusters as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        cluster_id,
        count(*) as n_tasks,
        sum(influence) as influence_sum,
        sum(
            case
                when abs(influence) > 1e-150 then influence * influence else 0
            end
        ) as influence_squares
    from task_influences
    group by experiment_id, candidate_group, candidate_version, cluster_id
),

cluster_sums as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        n_tasks,
        case when cluster_id is null then n_tasks else 1 end as n_clusters,
        case when cluster_id is null then n_tasks else n_tasks * n_tasks end
            as squared_size,
        case
            when cluster_id is null then influence_squares
            when abs(influence_sum) > 1e-150
                then influence_sum * influence_sum
            else 0
        end as squared_influence
    from clusters
),

influences as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        sum(n_tasks)::bigint as n_tasks,
        sum(n_clusters)::bigint as n_clusters,
        sum(squared_size)::float8 as squared_sizes,
        sum(squared_influence) as squared_influences
    from cluster_sums
    group by experiment_id, candidate_group, candidate_version
),

changes as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        sum(weighted_change) as weighted_improvement
    from legs
    group by experiment_id, candidate_group, candidate_version
),

composite_moments as (
    select
        influences.*,
        changes.weighted_improvement
    from influences
    inner join changes
        on
            influences.experiment_id = changes.experiment_id
            and influences.candidate_group = changes.candidate_group
            and influences.candidate_version = changes.candidate_version
)

select * from composite_moments
