-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `centres` to `totals`: the second pass, sums of squares
    around the means, by cluster and then by comparison.
#}
{% macro moment_clusters() -%}
deviations as (
    select
        differences.pair_number,
        centres.comparison_number,
        centres.n_pairs,
        centres.n_ratio_pairs,
        differences.kind,
        differences.cluster_id,
        differences.baseline,
        differences.candidate,
        differences.difference,
        differences.log_ratio,
        differences.baseline_repetitions,
        differences.candidate_repetitions,
        differences.baseline_variance,
        differences.candidate_variance,
        centres.direction_sign * differences.difference as gain,
        centres.tie_width + {{ rounding_noise() }} * greatest(
            centres.tie_width,
            abs(differences.baseline),
            abs(differences.candidate)
        ) as tie_width,
        differences.baseline - centres.baseline_mean as baseline_deviation,
        differences.candidate - centres.candidate_mean as candidate_deviation,
        differences.difference - centres.mean_difference
            as difference_deviation,
        differences.log_ratio - centres.mean_log_ratio as log_ratio_deviation
    from differences
    inner join centres
        on
            {{
                is_same_comparison(
                    'differences',
                    'centres',
                    ['segment', 'metric', 'counts_missing'],
                )
            }}
    where differences.difference is not null
),

-- a product below 1e-300 raises
flushed_deviations as (
    select
        *,
        case
            when abs(difference_deviation) > 1e-150 then difference_deviation
            else 0
        end as flushed_difference,
        case
            when abs(baseline_deviation) > 1e-150 then baseline_deviation
            else 0
        end as flushed_baseline,
        case
            when abs(candidate_deviation) > 1e-150 then candidate_deviation
            else 0
        end as flushed_candidate,
        case
            when abs(log_ratio_deviation) > 1e-150 then log_ratio_deviation
            when log_ratio is not null then 0
        end as flushed_log_ratio,
        case
            when baseline_repetitions > 1 and candidate_repetitions > 1
                then baseline_variance / baseline_repetitions
        end as baseline_noise,
        case
            when baseline_repetitions > 1 and candidate_repetitions > 1
                then candidate_variance / candidate_repetitions
        end as candidate_noise,
        case
            when kind not in ('score', 'success') then false
            when greatest(baseline_repetitions, candidate_repetitions) > 1
                then false
            else
                (baseline = 0 or baseline = 1)
                and (candidate = 0 or candidate = 1)
        end as is_binary
    from deviations
    -- sums are of this order, whatever the join above made of it
    order by pair_number
    -- keeps the planner from repeating these expressions in every sum below
    offset 0
),

-- one row a cluster; tasks without one share a row, of clusters of one task
clusters as (
    select
        comparison_number,
        cluster_id,
        min(n_pairs) as n_all_pairs,
        min(n_ratio_pairs) as n_all_ratio_pairs,
        count(*) as n_pairs,
        count(log_ratio) as n_ratio_pairs,
        count(baseline_noise + candidate_noise) as n_repeated_pairs,
        count(*) filter (where gain > tie_width) as wins,
        count(*) filter (where -gain > tie_width) as losses,
        count(*) filter (where difference > 0) as n_greater,
        count(*) filter (where difference < 0) as n_less,
        sum(baseline_repetitions + candidate_repetitions) as n_runs,
        sum(flushed_difference) as difference_sum,
        sum(flushed_difference * flushed_difference) as difference_squares,
        sum(flushed_baseline * flushed_baseline) as baseline_squares,
        sum(flushed_candidate * flushed_candidate) as candidate_squares,
        sum(flushed_baseline * flushed_candidate) as cross_products,
        sum(flushed_log_ratio) as log_ratio_sum,
        sum(flushed_log_ratio * flushed_log_ratio) as log_ratio_squares,
        sum(baseline_noise + candidate_noise) as noise_sum,
        sum(
            case
                when baseline_noise is not null
                    then
                        {{ bounded_square('baseline_noise') }}
                        / (baseline_repetitions - 1)
                        + {{ bounded_square('candidate_noise') }}
                        / (candidate_repetitions - 1)
            end
        ) as squared_noise_sum,
        bool_and(is_binary) as is_binary
    from flushed_deviations
    group by comparison_number, cluster_id
),

-- what leaving a cluster out moves the mean by, times the number of pairs
left_out as (
    select
        *,
        difference_sum
        * (n_all_pairs::float8 / nullif(n_all_pairs - n_pairs, 0))
            as difference_influence,
        log_ratio_sum
        * (
            n_all_ratio_pairs::float8
            / nullif(n_all_ratio_pairs - n_ratio_pairs, 0)
        ) as log_ratio_influence
    from clusters
),

cluster_sums as (
    select
        *,
        case when cluster_id is null then n_pairs else 1 end as n_clusters,
        case
            when cluster_id is null then n_ratio_pairs
            when n_ratio_pairs > 0 then 1
            else 0
        end as n_ratio_clusters,
        case when cluster_id is null then n_pairs else n_pairs * n_pairs end
            as squared_size,
        case
            when cluster_id is null then n_ratio_pairs
            else n_ratio_pairs * n_ratio_pairs
        end as squared_ratio_size,
        case
            when cluster_id is null
                then
                    difference_squares
                    * (n_all_pairs::float8 / nullif(n_all_pairs - 1, 0)) ^ 2
            when abs(difference_influence) < 1e-150 then 0
            else difference_influence * difference_influence
        end as squared_sum,
        case
            when cluster_id is null
                then
                    log_ratio_squares
                    * (
                        n_all_ratio_pairs::float8
                        / nullif(n_all_ratio_pairs - 1, 0)
                    ) ^ 2
            when abs(log_ratio_influence) < 1e-150 then 0
            else log_ratio_influence * log_ratio_influence
        end as squared_log_ratio_sum
    from left_out
    order by comparison_number, cluster_id collate "C"
    offset 0
),

totals as (
    select
        comparison_number,
        sum(n_clusters)::bigint as n_clusters,
        sum(n_ratio_clusters)::bigint as n_ratio_clusters,
        sum(n_repeated_pairs)::bigint as n_repeated_pairs,
        sum(wins)::bigint as wins,
        sum(losses)::bigint as losses,
        sum(n_greater)::bigint as n_greater,
        sum(n_less)::bigint as n_less,
        sum(n_runs)::bigint as n_runs,
        sum(squared_size)::float8 as squared_sizes,
        sum(squared_ratio_size)::float8 as squared_ratio_sizes,
        sum(difference_squares) as difference_squares,
        sum(squared_sum) as squared_cluster_sums,
        sum(baseline_squares) as baseline_squares,
        sum(candidate_squares) as candidate_squares,
        sum(cross_products) as cross_products,
        sum(log_ratio_squares) as log_ratio_squares,
        sum(squared_log_ratio_sum) as squared_log_ratio_sums,
        sum(noise_sum) as noise_sum,
        sum(squared_noise_sum) as squared_noise_sum,
        bool_and(is_binary) as is_binary
    from cluster_sums
    group by comparison_number
)
{%- endmacro %}
