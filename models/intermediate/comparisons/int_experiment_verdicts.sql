{#
    The verdict on each comparison and segment, by either kind of bound
    (is_anytime: bounds that hold at every look). The rule itself stands in
    macros/verdict/verdict_rule.sql; the old system's recommendation beside it
    is for comparison and has no say.
#}
{%- set key = [
    "experiment_id",
    "candidate_group",
    "candidate_version",
    "segment",
    "is_anytime",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        meta={
            "settings": [
                "alpha",
                "kept_level",
                "minimum_tasks",
                "minimum_clusters",
                "minimum_coverage",
                "harm_level",
                "gain_level",
                "minimum_gain",
                "pass_k",
                "legacy_deploy_above_pct",
                "legacy_reject_below_pct",
                "legacy_max_degradation_pct",
                "legacy_min_candidate_mean",
            ],
        },
    )
}}

with

evidence as (
    {{ changed_rows(ref('int_metric_evidence')) }}
),

composites as (
    {{ changed_rows(ref('int_composite_improvements')) }}
),

{{ verdict_rule(verdict_settings()) }},

-- the relative change of each mean, scores too
legacy_inputs as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        sum(weight * 100 * relative_change order by metric)
        / nullif(
            sum(weight order by metric)
            filter (where relative_change is not null),
            0
        )
            as weighted_improvement_pct,
        bool_or(
            100 * relative_change
            < -{{ var('legacy_max_degradation_pct') }} - 1e-10
        ) as is_degraded,
        bool_or(
            kind = 'score'
            and candidate_mean
            < {{ var('legacy_min_candidate_mean') }} - {{ rounding_noise() }}
        ) as is_low
    from evidence
    where weight > 0
    group by experiment_id, candidate_group, candidate_version, segment
),

legacy_recommendations as (
    select
        *,
        case
            when is_degraded or is_low then 'reject'
            when
                weighted_improvement_pct
                < {{ var('legacy_reject_below_pct') }} - 1e-10
                then 'reject'
            when
                weighted_improvement_pct
                > {{ var('legacy_deploy_above_pct') }} + 1e-10
                then 'deploy'
            else 'needs_review'
        end as legacy_recommendation
    from legacy_inputs
),

required_repetitions as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        max(required_repetitions) as required_repetitions
    from evidence
    where role in ('deciding', 'guardrail')
    group by experiment_id, candidate_group, candidate_version, segment
),

experiment_verdicts as (
    select
        verdicts.experiment_id,
        verdicts.candidate_group,
        verdicts.candidate_version,
        verdicts.segment,
        verdicts.is_anytime,
        verdicts.recommendation,
        verdicts.recommendation_route,
        verdicts.label,
        verdicts.recommendation_labels,
        verdicts.headline,
        verdicts.recommendation_reasons,
        verdicts.required_additional_tasks,
        verdicts.required_for,
        verdicts.required_note,
        coalesce(
            legacy_recommendations.legacy_recommendation, 'needs_review'
        ) as legacy_recommendation,
        legacy_recommendations.weighted_improvement_pct,
        case
            when
                verdicts.recommendation = 'needs_review'
                and verdicts.required_additional_tasks is not null
                then required_repetitions.required_repetitions
        end as required_repetitions
    from verdicts
    left join legacy_recommendations
        on
            {{
                is_same_comparison(
                    'verdicts', 'legacy_recommendations', ['segment']
                )
            }}
    left join required_repetitions
        on
            {{
                is_same_comparison(
                    'verdicts', 'required_repetitions', ['segment']
                )
            }}
)

select * from experiment_verdicts
