{#
    A segment of all tasks repeats the comparison as a whole: its row is copied,
    not computed again. Paired differences of parts average to that of the
    whole, so a paradox shows against the unpaired difference that people see,
    or where tasks are in several segments or in none.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment_kind",
            "segment",
            "metric",
        ],
        pre_hook="{{
            start_build(
                parents=['int_metric_comparison_estimates'],
                settings=['minimum_coverage', 'minimum_effective_clusters'],
                include_linked=true,
            )
        }}",
        post_hook="{{ finish_build() }}",
    )
}}

with

estimates as (
    {{ changed_rows(ref('int_metric_comparison_estimates')) }}
),

whole_estimates as (
    select * from estimates
    where segment = ''
),

part_segments as (
    select
        *,
        segment as segment_label
    from estimates
    where segment != ''
    union all
    select
        whole_estimates.*,
        whole_segments.segment_label
    from whole_estimates
    cross join
        lateral
        unnest(whole_estimates.whole_segments)
            as whole_segments (segment_label)
),

labelled as (
    select
        part_segments.*,
        split_part(part_segments.segment_label, ':', 1) as segment_kind,
        substr(
            part_segments.segment_label,
            strpos(part_segments.segment_label, ':') + 1
        ) as segment_name
    from part_segments
),

compared_to_whole as (
    select
        labelled.*,
        whole_estimates.mean_difference as pooled_mean_difference,
        whole_estimates.unpaired_mean_difference
            as pooled_unpaired_mean_difference
    from labelled
    inner join whole_estimates
        on
            labelled.experiment_id = whole_estimates.experiment_id
            and labelled.candidate_group = whole_estimates.candidate_group
            and labelled.candidate_version = whole_estimates.candidate_version
            and labelled.metric = whole_estimates.metric
),

ranked as (
    select
        *,
        count(p_value) over segments as n_tests,
        count(mean_difference) over segments as n_segments,
        row_number() over (
            segments
            order by p_value asc nulls last, segment_name collate "C" asc
        ) as p_rank,
        min(sign(mean_difference)) over segments as least_sign,
        max(sign(mean_difference)) over segments as greatest_sign
    from compared_to_whole
    window segments as (
        partition by
            experiment_id,
            candidate_group,
            candidate_version,
            metric,
            segment_kind
    )
),

adjusted as (
    select
        *,
        case
            when p_value is not null
                then least(1, min(p_value * (n_tests / p_rank::float8)) over (
                    partition by
                        experiment_id,
                        candidate_group,
                        candidate_version,
                        metric,
                        segment_kind
                    order by p_rank desc
                ))
        end as p_value_bh,
        coalesce(
            n_segments > 1
            and least_sign = greatest_sign
            and (
                least_sign * sign(pooled_mean_difference) < 0
                or least_sign * sign(pooled_unpaired_mean_difference) < 0
            ),
            false
        ) as simpson_flag,
        {{ comparison_flags() }} as flags
    from ranked
),

segment_comparisons as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment_kind,
        segment_name as segment,
        metric,
        kind,
        direction,
        method,
        n_tasks,
        n_pairs,
        n_clusters,
        wins,
        losses,
        ties,
        pair_coverage,
        baseline_mean,
        candidate_mean,
        mean_difference,
        standard_error_clustered,
        ci_low,
        ci_high,
        p_value,
        p_value_bh,
        ratio,
        ratio_low,
        ratio_high,
        relative_change,
        minimum_detectable_effect,
        pooled_mean_difference,
        pooled_unpaired_mean_difference,
        simpson_flag,
        flags
    from adjusted
)

select * from segment_comparisons
