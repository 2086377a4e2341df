{#
    Counts and centred sums of the pairs of each comparison: everything that
    needs a pass over the pairs. Two passes, means first: a sum of squares
    around a far-off mean loses its digits, and PostgreSQL's own avg() and
    var_samp() raise when a square overflows.

    Every comparison is read as recorded. A score of which a run is missing is
    read a second time (counts_missing): run by run, a missing score counts as
    the worst there is, 0, or 1 where lower is better.

    A value beyond 1e150 counts as 1e150 and one below 1e-150 as 0: then no
    difference, square or sum here can leave the range of float8, where
    PostgreSQL raises.

    The segment '' is all tasks. Sorting costs more than hashing here: there are
    far fewer comparisons than the planner takes there to be.
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment",
            "metric",
            "counts_missing",
        ],
        pre_hook=[
            "set local enable_mergejoin = off",
            "set local enable_sort = off",
            "set local work_mem = '256MB'",
        ],
    )
}}

with

metric_pairs as not materialized (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

segmented_pairs as not materialized (
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

-- scores that lack a run somewhere
incomplete_scores as (
    select distinct
        experiment_id,
        candidate_group,
        candidate_version,
        metric
    from metric_pairs
    where
        kind = 'score'
        and (
            coalesce(baseline_repetitions, 0) < greatest(baseline_runs, 1)
            or coalesce(candidate_repetitions, 0) < greatest(candidate_runs, 1)
        )
),

-- what is worked out in the parts of a union is not repeated where it is used
recorded_values as (
    select
        *,
        false as counts_missing,
        {{ bounded_value('baseline_value') }} as baseline,
        {{ bounded_value('candidate_value') }} as candidate,
        case
            when kind = 'score' and is_comparable
                then {{ missing_share('baseline') }}
        end as baseline_missing,
        case
            when kind = 'score' and is_comparable
                then {{ missing_share('candidate') }}
        end as candidate_missing
    from segmented_pairs
),

missing_as_worst as (
    select
        segmented_pairs.*,
        true as counts_missing,
        {{ bounded_value(missing_as_worst('baseline')) }} as baseline,
        {{ bounded_value(missing_as_worst('candidate')) }} as candidate,
        null::float8 as baseline_missing,
        null::float8 as candidate_missing
    from segmented_pairs
    inner join incomplete_scores
        on
            {{
                is_same_comparison(
                    'segmented_pairs', 'incomplete_scores', ['metric']
                )
            }}
),

read_values as (
    select * from recorded_values
    union all
    select * from missing_as_worst
),

differences as materialized (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing,
        cluster_id,
        baseline_value is not null as has_baseline,
        candidate_value is not null as has_candidate,
        kind,
        direction,
        tie_margin,
        non_inferiority_margin,
        weight,
        whole_segments,
        planned_tasks,
        is_declared,
        is_deciding,
        is_metric_guessed,
        is_evaluator_one_sided,
        is_comparable
        and baseline_value is not null
        and candidate_value is null
            as is_baseline_only,
        is_comparable
        and candidate_value is not null
        and baseline_value is null
            as is_candidate_only,
        not is_comparable as is_incomparable,
        baseline_runs > 0 and candidate_runs > 0 and is_comparable
            as has_both_arms,
        baseline_runs > 0
        and candidate_runs > 0
        and baseline_runs != candidate_runs
            as is_uneven,
        case when is_comparable and candidate is null then baseline end
            as lone_baseline,
        case when is_comparable and baseline is null then candidate end
            as lone_candidate,
        case when is_comparable and candidate is not null then baseline end
            as baseline,
        case when is_comparable and baseline is not null then candidate end
            as candidate,
        case
            when is_comparable
                then {{ pair_difference('baseline', 'candidate') }}
        end as difference,
        case
            when is_comparable
                then {{ pair_log_ratio('kind', 'baseline', 'candidate') }}
        end as log_ratio,
        {{ covered_share('baseline') }} as baseline_covered,
        {{ covered_share('candidate') }} as candidate_covered,
        baseline_missing,
        candidate_missing,
        coalesce(baseline, 0) * (1 - baseline_missing) as baseline_recorded,
        coalesce(candidate, 0) * (1 - candidate_missing) as candidate_recorded,
        case
            when counts_missing then {{ expected_runs('baseline') }}
            else coalesce(baseline_repetitions, 1)
        end as baseline_repetitions,
        case
            when counts_missing then {{ expected_runs('candidate') }}
            else coalesce(candidate_repetitions, 1)
        end as candidate_repetitions,
        {{ variance_of_runs('baseline') }} as baseline_variance,
        {{ variance_of_runs('candidate') }} as candidate_variance
    from read_values
),

grouped as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing,
        max(whole_segments) as whole_segments,
        min(kind) as kind,
        min(direction) as direction,
        min(tie_margin) as tie_margin,
        min(non_inferiority_margin) as non_inferiority_margin,
        min(weight) as weight,
        max(planned_tasks) as n_planned_tasks,
        bool_or(is_declared) as is_declared,
        bool_or(is_deciding) as is_deciding,
        bool_or(is_deciding and is_metric_guessed) as is_metric_guessed,
        bool_or(is_evaluator_one_sided) as is_evaluator_one_sided,
        bool_or(is_uneven) as has_uneven_repetitions,
        bool_and(not has_baseline) or bool_and(not has_candidate)
            as is_in_one_arm,
        count(*) as n_tasks,
        count(difference) as n_pairs,
        count(*) filter (where is_baseline_only) as n_baseline_only,
        count(*) filter (where is_candidate_only) as n_candidate_only,
        count(*) filter (where is_incomparable) as n_incomparable,
        count(*) filter (where has_both_arms) as n_shared_tasks,
        count(baseline_covered) as n_baseline_tasks,
        count(candidate_covered) as n_candidate_tasks,
        count(log_ratio) as n_ratio_pairs,
        sum(baseline_covered) as baseline_covered,
        sum(candidate_covered) as candidate_covered,
        sum(baseline_missing) as baseline_missing,
        sum(candidate_missing) as candidate_missing,
        sum(baseline_recorded) as baseline_recorded,
        sum(candidate_recorded) as candidate_recorded,
        sum(lone_baseline) as lone_baseline_sum,
        sum(lone_candidate) as lone_candidate_sum,
        sum(baseline) as baseline_sum,
        sum(candidate) as candidate_sum,
        sum(difference) as difference_sum,
        sum(log_ratio) as log_ratio_sum,
        max(abs(baseline)) as baseline_scale,
        max(abs(candidate)) as candidate_scale
    from differences
    group by
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        counts_missing
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
    -- keeps the planner from repeating these expressions in every sum below
    offset 0  -- noqa: AM09
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
),

moments as (
    select
        centres.experiment_id,
        centres.candidate_group,
        centres.candidate_version,
        centres.segment,
        centres.metric,
        centres.counts_missing,
        centres.kind,
        centres.direction,
        centres.whole_segments,
        centres.is_declared,
        centres.is_deciding,
        centres.is_metric_guessed,
        centres.is_evaluator_one_sided,
        centres.has_uneven_repetitions,
        centres.is_in_one_arm,
        centres.direction_sign,
        centres.weight::float8 as weight,
        centres.non_inferiority_margin::float8 as non_inferiority_margin,
        centres.n_tasks,
        centres.n_planned_tasks,
        centres.n_shared_tasks,
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
        -- the mean over tasks, so that a run weighs within its task
        centres.baseline_covered / nullif(centres.n_baseline_tasks, 0)
            as baseline_coverage,
        centres.candidate_covered / nullif(centres.n_candidate_tasks, 0)
            as candidate_coverage,
        centres.baseline_mean,
        centres.candidate_mean,
        centres.mean_difference,
        centres.mean_log_ratio,
        coalesce(centres.lone_baseline_sum, 0) as lone_baseline_sum,
        coalesce(centres.lone_candidate_sum, 0) as lone_candidate_sum,
        centres.baseline_missing,
        centres.candidate_missing,
        centres.baseline_recorded,
        centres.candidate_recorded,
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
        totals.squared_noise_sum,
        totals.is_binary
    from centres
    left join totals
        on centres.comparison_number = totals.comparison_number
)

select * from moments
