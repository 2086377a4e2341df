-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `spanned_pairs`, `bridge_answers` and `spans` to `errors`:
    the jackknife's over clusters, of pairs and bridge together, so that a task
    that is in both counts as what it is.
#}
{% macro bridge_errors() -%}
{%- set comparison = 'experiment_id, candidate_group, candidate_version' -%}
pair_clusters as (
    select
        pairs.experiment_id,
        pairs.candidate_group,
        pairs.candidate_version,
        pairs.metric,
        pairs.cluster_id,
        count(*)::float8 as n_here,
        sum(pairs.gain - spans.unbridged_improvement) as deviation,
        count(*) filter (where pairs.is_bridged)::float8 as n_bridged_here
    from spanned_pairs as pairs
    inner join spans
        on {{ is_same_comparison('pairs', 'spans', ['metric']) }}
    group by
        pairs.experiment_id,
        pairs.candidate_group,
        pairs.candidate_version,
        pairs.metric,
        pairs.cluster_id
),

bridge_clusters as (
    select
        answers.experiment_id,
        answers.candidate_group,
        answers.candidate_version,
        answers.metric,
        answers.cluster_id,
        count(*)::float8 as n_here,
        sum(answers.difference - spans.judge_difference) as deviation
    from bridge_answers as answers
    inner join spans
        on {{ is_same_comparison('answers', 'spans', ['metric']) }}
    group by
        answers.experiment_id,
        answers.candidate_group,
        answers.candidate_version,
        answers.metric,
        answers.cluster_id
),

cluster_counts as (
    select
        {{ comparison }},
        metric,
        count(*)::float8 as n_clusters,
        sum(n_here) ^ 2 / sum(n_here ^ 2) as effective_clusters
    from pair_clusters
    group by {{ comparison }}, metric
),

bridge_counts as (
    select
        {{ comparison }},
        metric,
        count(*)::float8 as n_clusters,
        sum(n_here) ^ 2 / sum(n_here ^ 2) as effective_clusters
    from bridge_clusters
    group by {{ comparison }}, metric
),

-- what leaving a cluster out does to either part
cluster_parts as (
    select
        clusters.experiment_id,
        clusters.candidate_group,
        clusters.candidate_version,
        clusters.metric,
        clusters.cluster_id,
        clusters.deviation
        / nullif(spans.n_pairs - clusters.n_here, 0)
        * sqrt((counts.n_clusters - 1) / counts.n_clusters)
        -- the share of pairs that the bridge is taken off moves too
        - spans.direction_sign * spans.judge_difference
        * (
            clusters.n_bridged_here
            - clusters.n_here * spans.n_bridged_pairs / spans.n_pairs
        )
        / nullif(spans.n_pairs - clusters.n_here, 0)
        * sqrt((counts.n_clusters - 1) / counts.n_clusters) as part
    from pair_clusters as clusters
    inner join spans
        on {{ is_same_comparison('clusters', 'spans', ['metric']) }}
    inner join cluster_counts as counts
        on {{ is_same_comparison('clusters', 'counts', ['metric']) }}
    union all
    select
        clusters.experiment_id,
        clusters.candidate_group,
        clusters.candidate_version,
        clusters.metric,
        clusters.cluster_id,
        -spans.direction_sign * spans.n_bridged_pairs / spans.n_pairs
        * clusters.deviation
        / nullif(spans.n_bridge_answers - clusters.n_here, 0)
        * sqrt((counts.n_clusters - 1) / counts.n_clusters) as part
    from bridge_clusters as clusters
    inner join spans
        on {{ is_same_comparison('clusters', 'spans', ['metric']) }}
    inner join bridge_counts as counts
        on {{ is_same_comparison('clusters', 'counts', ['metric']) }}
),

summed_parts as (
    select
        {{ comparison }},
        metric,
        cluster_id,
        sum(part) as part,
        count(part) = count(*) as is_known
    from cluster_parts
    group by {{ comparison }}, metric, cluster_id
),

part_sums as (
    select
        {{ comparison }},
        metric,
        sqrt(sum(part ^ 2)) as improvement_error,
        bool_and(is_known) as is_known
    from summed_parts
    group by {{ comparison }}, metric
),

errors as (
    select
        sums.experiment_id,
        sums.candidate_group,
        sums.candidate_version,
        sums.metric,
        pairs.effective_clusters,
        case
            when sums.is_known and bridges.n_clusters > 1
                then sums.improvement_error
        end as improvement_error,
        case
            when least(pairs.effective_clusters, bridges.effective_clusters) > 1
                then least(
                    pairs.effective_clusters, bridges.effective_clusters
                ) - 1
        end as degrees_of_freedom
    from part_sums as sums
    inner join cluster_counts as pairs
        on {{ is_same_comparison('sums', 'pairs', ['metric']) }}
    left join bridge_counts as bridges
        on {{ is_same_comparison('sums', 'bridges', ['metric']) }}
)
{%- endmacro %}
