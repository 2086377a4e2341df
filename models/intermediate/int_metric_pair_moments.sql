{#
    Counts and centred sums of the pairs of each comparison: everything that
    needs a pass over the pairs. Two passes, means first: a sum of squares
    around a far-off mean loses its digits, and PostgreSQL's own avg() and
    var_samp() raise when a square overflows.

    A value beyond 1e150 counts as 1e150 and one below 1e-150 as 0: then no
    difference, square or sum here can leave the range of float8, where
    PostgreSQL raises.

    The segment '' is all tasks. Sorting to merge costs more than hashing here.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment",
            "metric",
        ],
        indexes=[{"columns": ["experiment_id"]}],
        pre_hook=[
            "{{
                start_build(
                    parents=['int_metric_pairs'],
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

metric_pairs as not materialized (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

segmented_pairs as (
    select
        *,
        '' as segment
    from metric_pairs
    union all
    select
        metric_pairs.*,
        pair_segments.segment
    from metric_pairs
    cross join
        lateral
        unnest(metric_pairs.segments) as pair_segments (segment)
    where metric_pairs.segments is not null
),

bounded_values as (
    select
        *,
        baseline_value is not null and candidate_value is not null
            as has_both,
        case
            when abs(baseline_value) >= 1e-150
                then greatest(least(baseline_value, 1e150), -1e150)
            when baseline_value is not null then 0
        end as baseline,
        case
            when abs(candidate_value) >= 1e-150
                then greatest(least(candidate_value, 1e150), -1e150)
            when candidate_value is not null then 0
        end as candidate
    from segmented_pairs
),

differences as materialized (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        cluster_id,
        kind,
        direction,
        tie_margin,
        non_inferiority_margin,
        weight,
        whole_segments,
        has_both and not is_comparable as is_incomparable,
        case when not has_both then baseline end as lone_baseline,
        case when not has_both then candidate end as lone_candidate,
        case when has_both and is_comparable then baseline end as baseline,
        case when has_both and is_comparable then candidate end as candidate,
        case
            when not has_both or not is_comparable then null
            when
                abs(candidate - baseline)
                <= 1e-12 * greatest(abs(baseline), abs(candidate))
                then 0
            else candidate - baseline
        end as difference,
        case
            when
                has_both and is_comparable
                and kind in ('latency', 'tokens', 'cost')
                and baseline > 0 and candidate > 0
                then ln(candidate / baseline)
        end as log_ratio,
        case
            when
                has_both and is_comparable and kind != 'score' and baseline != 0
                then least((candidate - baseline) / abs(baseline), 1e150)
        end as relative_difference,
        coalesce(baseline_repetitions, 1) as baseline_repetitions,
        coalesce(candidate_repetitions, 1) as candidate_repetitions,
        case
            when baseline_stddev >= 1e-150 then least(baseline_stddev, 1e150)
            when baseline_stddev is not null then 0
        end as baseline_stddev,
        case
            when candidate_stddev >= 1e-150 then least(candidate_stddev, 1e150)
            when candidate_stddev is not null then 0
        end as candidate_stddev
    from bounded_values
),

grouped as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        max(whole_segments) as whole_segments,
        min(kind) as kind,
        coalesce(min(direction), 'higher') as direction,
        min(tie_margin) as tie_margin,
        min(non_inferiority_margin) as non_inferiority_margin,
        min(weight) as weight,
        count(*) as n_tasks,
        count(difference) as n_pairs,
        count(lone_baseline) as n_baseline_only,
        count(lone_candidate) as n_candidate_only,
        count(*) filter (where is_incomparable) as n_incomparable,
        count(log_ratio) as n_ratio_pairs,
        sum(lone_baseline) as lone_baseline_sum,
        sum(lone_candidate) as lone_candidate_sum,
        sum(baseline) as baseline_sum,
        sum(candidate) as candidate_sum,
        sum(difference) as difference_sum,
        sum(log_ratio) as log_ratio_sum,
        sum(relative_difference) / nullif(count(relative_difference), 0)
            as mean_relative_difference,
        max(abs(baseline)) as baseline_scale,
        max(abs(candidate)) as candidate_scale
    from differences
    group by
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric
),

centres as (
    select
        *,
        -- one integer is hashed and compared faster than four texts
        row_number() over () as comparison_number,
        case when direction = 'lower' then -1 else 1 end as direction_sign,
        coalesce(tie_margin, 0)::float8 as tie_width,
        baseline_sum / nullif(n_pairs, 0) as baseline_mean,
        candidate_sum / nullif(n_pairs, 0) as candidate_mean,
        difference_sum / nullif(n_pairs, 0) as mean_difference,
        log_ratio_sum / nullif(n_ratio_pairs, 0) as mean_log_ratio,
        greatest(baseline_scale, candidate_scale) as scale
    from grouped
),

deviations as (
    select
        centres.comparison_number,
        differences.cluster_id,
        differences.baseline,
        differences.candidate,
        differences.difference,
        differences.log_ratio,
        differences.baseline_repetitions,
        differences.candidate_repetitions,
        differences.baseline_stddev,
        differences.candidate_stddev,
        centres.direction_sign * differences.difference as gain,
        centres.tie_width + 1e-12 * greatest(
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
            differences.experiment_id = centres.experiment_id
            and differences.candidate_group = centres.candidate_group
            and differences.candidate_version = centres.candidate_version
            and differences.segment = centres.segment
            and differences.metric = centres.metric
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
                then
                    baseline_stddev * baseline_stddev / baseline_repetitions
                    + candidate_stddev * candidate_stddev
                    / candidate_repetitions
        end as noise,
        case
            when baseline_repetitions > 1 or candidate_repetitions > 1
                then false
            else
                (baseline = 0 or baseline = 1)
                and (candidate = 0 or candidate = 1)
        end as is_binary
    from deviations
    -- keeps the planner from repeating these expressions in every sum below
    offset 0  -- noqa: AM09
),

-- one row a cluster; tasks without one share a row, of clusters of one task
clusters as (
    select
        comparison_number,
        cluster_id,
        count(*) as n_pairs,
        count(log_ratio) as n_ratio_pairs,
        count(noise) as n_repeated_pairs,
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
        sum(noise) as noise_sum,
        bool_and(is_binary) as is_binary
    from flushed_deviations
    group by comparison_number, cluster_id
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
            when cluster_id is null then difference_squares
            when abs(difference_sum) < 1e-150 then 0
            else difference_sum * difference_sum
        end as squared_sum,
        case
            when cluster_id is null then log_ratio_squares
            when abs(log_ratio_sum) < 1e-150 then 0
            else log_ratio_sum * log_ratio_sum
        end as squared_log_ratio_sum
    from clusters
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
        bool_and(is_binary) as is_binary
    from cluster_sums
    group by comparison_number
),

moments as (
    select
        centres.experiment_id,
        centres.candidate_group,
        centres.candidate_version,
        centres.segment,
        centres.metric,
        centres.kind,
        centres.direction,
        centres.whole_segments,
        centres.direction_sign,
        coalesce(centres.weight, 0)::float8 as weight,
        centres.non_inferiority_margin::float8 as non_inferiority_margin,
        centres.n_tasks,
        centres.n_pairs,
        centres.n_baseline_only,
        centres.n_candidate_only,
        centres.n_incomparable,
        centres.n_ratio_pairs,
        coalesce(totals.n_clusters, 0) as n_clusters,
        coalesce(totals.n_ratio_clusters, 0) as n_ratio_clusters,
        coalesce(totals.n_repeated_pairs, 0) as n_repeated_pairs,
        coalesce(totals.wins, 0) as wins,
        coalesce(totals.losses, 0) as losses,
        coalesce(totals.n_greater, 0) as n_greater,
        coalesce(totals.n_less, 0) as n_less,
        totals.n_runs,
        totals.squared_sizes,
        totals.squared_ratio_sizes,
        centres.baseline_mean,
        centres.candidate_mean,
        centres.mean_difference,
        centres.mean_log_ratio,
        centres.mean_relative_difference,
        coalesce(centres.lone_baseline_sum, 0) as lone_baseline_sum,
        coalesce(centres.lone_candidate_sum, 0) as lone_candidate_sum,
        centres.scale,
        centres.baseline_scale,
        centres.candidate_scale,
        totals.difference_squares,
        totals.squared_cluster_sums,
        totals.baseline_squares,
        totals.candidate_squares,
        totals.cross_products,
        totals.log_ratio_squares,
        totals.squared_log_ratio_sums,
        totals.noise_sum,
        totals.is_binary
    from centres
    left join totals
        on centres.comparison_number = totals.comparison_number
)

select * from moments
