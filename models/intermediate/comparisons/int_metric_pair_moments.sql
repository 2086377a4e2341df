{#
    Counts and centred sums of the pairs of each comparison: everything that
    needs a pass over the pairs. Two passes, means first: a sum of squares
    around a far-off mean loses its digits, and PostgreSQL's own avg() and
    var_samp() raise when a square overflows. Its steps are macros of
    macros/estimates, read in this order.

    Every comparison is read as recorded. A score of which a run is missing is
    read a second time (counts_missing): run by run, a missing score counts as
    the worst there is, 0, or 1 where lower is better.

    A value beyond 1e150 counts as 1e150 and one below 1e-150 as 0: then no
    difference, square or sum here can leave the range of float8, where
    PostgreSQL raises.

    The segment '' is all tasks. Sorting costs more than hashing here: there are
    far fewer comparisons than the planner takes there to be.
#}
{%- set key = [
    "experiment_id",
    "candidate_group",
    "candidate_version",
    "segment",
    "metric",
    "counts_missing",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        pre_hook=[
            "set local enable_mergejoin = off",
            "set local enable_sort = off",
            "set local work_mem = '256MB'",
        ],
    )
}}

with

all_metric_pairs as not materialized (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

-- what is quarantined is counted by int_metric_evidence
metric_pairs as not materialized (
    select *
    from all_metric_pairs
    where not is_quarantined
),

{{ moment_readings() }},

{{ moment_centres() }},

{{ moment_clusters() }},

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
        centres.is_direction_said,
        centres.is_deciding,
        centres.is_metric_guessed,
        centres.is_evaluator_one_sided,
        centres.has_uneven_repetitions,
        centres.is_in_one_arm,
        centres.direction_sign,
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
