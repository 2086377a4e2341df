{#
    The verdict on each agent, category and split of a comparison, by the rule
    of the whole: what the total hides. A segment of all tasks repeats the whole.
    is_proven_worse: its deciding metric is worse by more than chance, adjusted
    for the number of segments of its kind (Benjamini and Hochberg 1995).
#}
{{
    config(
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "segment_kind",
            "segment",
        ],
        meta={"settings": ["alpha", "peeking"]},
        post_hook=["{{ create_judge() }}", "{{ create_judge_readings() }}"],
    )
}}
-- depends_on: {{ ref('experiment_metric_comparisons') }}
-- depends_on: {{ ref('experiment_summaries') }}
{%- set family
    = 'experiment_id, candidate_group, candidate_version, segment_kind' %}

with

segment_comparisons as (
    {{ changed_rows(ref('experiment_segment_comparisons')) }}
),

experiment_verdicts as (
    {{ changed_rows(ref('int_experiment_verdicts')) }}
),

composites as (
    {{ changed_rows(ref('int_composite_improvements')) }}
),

segments as (
    select distinct
        experiment_id,
        candidate_group,
        candidate_version,
        segment_kind,
        segment
    from segment_comparisons
),

deciding_metrics as (
    select *
    from segment_comparisons
    where role = 'deciding'
),

-- a segment of all tasks has the verdict of the whole
labelled as (
    select
        segments.*,
        case
            when verdicts.experiment_id is null then ''
            else segments.segment_kind || ':' || segments.segment
        end as verdict_segment
    from segments
    left join experiment_verdicts as verdicts
        on
            {{ is_same_comparison('segments', 'verdicts') }}
            and segments.segment_kind || ':' || segments.segment
            = verdicts.segment
            and not verdicts.is_anytime
),

judged as (
    select
        labelled.experiment_id,
        labelled.candidate_group,
        labelled.candidate_version,
        labelled.segment_kind,
        labelled.segment,
        deciding_metrics.metric as primary_metric,
        verdicts.recommendation,
        anytime_verdicts.recommendation as recommendation_anytime,
        verdicts.recommendation_labels,
        verdicts.recommendation_route,
        verdicts.headline,
        coalesce(deciding_metrics.n_pairs, 0)::integer as total_tasks,
        verdicts.required_additional_tasks,
        verdicts.required_for,
        verdicts.required_note,
        deciding_metrics.improvement,
        deciding_metrics.improvement_pct,
        deciding_metrics.improvement_low_pct,
        deciding_metrics.improvement_high_pct,
        deciding_metrics.p_better,
        deciding_metrics.p_worse,
        composites.composite_improvement,
        composites.composite_error,
        composites.composite_degrees_of_freedom,
        composites.effective_clusters as composite_clusters,
        composites.composite_low,
        composites.composite_high,
        composites.p_better as p_composite_better,
        composites.p_worse as p_composite_worse,
        composites.p_better_anytime as p_composite_better_anytime,
        composites.p_worse_anytime as p_composite_worse_anytime,
        verdicts.recommendation_reasons
    from labelled
    inner join experiment_verdicts as verdicts
        on
            {{ is_same_comparison('labelled', 'verdicts') }}
            and labelled.verdict_segment = verdicts.segment
            and verdicts.is_anytime = {{ var('peeking') }}
    inner join experiment_verdicts as anytime_verdicts
        on
            {{ is_same_comparison('labelled', 'anytime_verdicts') }}
            and labelled.verdict_segment = anytime_verdicts.segment
            and anytime_verdicts.is_anytime
    left join deciding_metrics
        on
            {{
                is_same_comparison(
                    'labelled', 'deciding_metrics', ['segment_kind', 'segment']
                )
            }}
    left join composites
        on
            {{ is_same_comparison('labelled', 'composites') }}
            and labelled.verdict_segment = composites.segment
),

stepped as (
    select
        *,
        {{ bh_step('p_worse', family) }} as bh_step
    from judged
),

adjusted as (
    select
        *,
        {{ bh_p_value('bh_step', 'p_worse', family) }} as p_worse_bh
    from stepped
),

segment_verdicts as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment_kind,
        segment,
        primary_metric,
        recommendation,
        recommendation_anytime,
        recommendation_labels,
        recommendation_route,
        headline,
        total_tasks,
        required_additional_tasks,
        required_for,
        required_note,
        improvement_pct,
        improvement_low_pct,
        improvement_high_pct,
        p_better,
        p_worse,
        p_worse_bh,
        composite_improvement,
        composite_error,
        composite_degrees_of_freedom,
        composite_clusters,
        composite_low,
        composite_high,
        p_composite_better,
        p_composite_worse,
        p_composite_better_anytime,
        p_composite_worse_anytime,
        coalesce(
            improvement < 0 and p_worse_bh <= {{ var('alpha') }} / 2.0, false
        ) as is_proven_worse,
        recommendation_reasons
    from adjusted
)

select * from segment_verdicts
