-- sqlfluff:exclude_rules:LT02
{#
    The rule that decides, once: its steps as CTEs, for the model that applies
    it with the project's settings and for the function judge(), which applies
    it with those of a policy. The last step is named `verdicts`: a row a
    comparison, segment and kind of bound (is_anytime: bounds that hold at
    every look).

    It needs the CTEs `evidence` (int_metric_evidence or the marts that show
    it) and `composites` (int_composite_improvements, likewise).

    settings: SQL expressions by name; verdict_settings() has the project's.
#}
{% macro verdict_rule(settings) -%}
{%- set comparison -%}
    experiment_id,
    candidate_group,
    candidate_version,
    segment,
    is_anytime
{%- endset -%}
{%- set level = '(' ~ settings.alpha ~ ' / 2.0::float8)' -%}
{{ verdict_claims(settings, comparison) }},

{{ verdict_judgements(settings, level) }},

comparisons as (
    select distinct
        {{ comparison }}
    from bounded_evidence
),

-- what holds of the whole comparison
conditions as (
    select
        {{ comparison }},
        max(metric) filter (where role = 'deciding') as deciding_metric,
        coalesce(bool_or(is_better) filter (where role = 'deciding'), false)
            as is_better,
        coalesce(
            bool_or(is_worse and is_losing and has_enough_tasks)
            filter (where role = 'deciding'),
            false
        ) as is_harmed,
        coalesce(
            bool_or(is_worse and improvement < 0 and is_kept)
            filter (where role = 'deciding'),
            false
        ) as is_worse_within_margin,
        coalesce(
            bool_or(has_enough_tasks) filter (where role = 'deciding'), false
        ) as has_enough_tasks,
        coalesce(
            bool_or(is_proven_kept and not is_worse_in_either_reading)
            filter (where role = 'deciding'),
            false
        ) as is_quality_kept,
        coalesce(
            bool_or('direction_unknown' = any(flags))
            filter (where role = 'deciding'),
            false
        ) as is_direction_unknown,
        coalesce(
            bool_and(is_kept) filter (where role = 'guardrail'), true
        ) as are_guardrails_kept,
        coalesce(
            bool_and(is_proven_kept) filter (where role = 'guardrail'), true
        ) as are_guardrails_proven_kept,
        coalesce(bool_or(is_gain) filter (where role = 'guardrail'), false)
            as has_gain,
        coalesce(
            bool_or(
                is_losing
                and has_enough_tasks
                and p_guard_holm <= {{ settings.harm_level }}
            ) filter (where role in ('guardrail', 'success')),
            false
        ) as has_harmed_guard,
        coalesce(
            bool_or(is_losing and p_tripwire_holm <= {{ level }})
            filter (where role in ('tripwire', 'success')),
            false
        ) as has_tripped,
        coalesce(
            bool_or(has_low_coverage)
            filter (where role in ('deciding', 'guardrail')),
            false
        ) as has_low_coverage,
        coalesce(
            bool_or(n_incomparable > 0)
            filter (where role in ('deciding', 'guardrail')),
            false
        ) as has_incomparable,
        coalesce(bool_or('critical_task_quarantined' = any(flags)), false)
            as has_hidden_critical
    from judged_metrics
    group by {{ comparison }}
),

ruled as (
    select
        comparisons.*,
        conditions.deciding_metric,
        coalesce(conditions.is_better, false) as is_better,
        coalesce(conditions.is_harmed, false) as is_harmed,
        coalesce(conditions.is_worse_within_margin, false)
            as is_worse_within_margin,
        coalesce(conditions.has_harmed_guard, false) as has_harmed_guard,
        coalesce(conditions.has_tripped, false) as has_tripped,
        coalesce(conditions.has_low_coverage, false) as has_low_coverage,
        coalesce(conditions.has_incomparable, false) as has_incomparable,
        coalesce(conditions.has_hidden_critical, false) as has_hidden_critical,
        coalesce(judged_composites.is_worse, false) as is_composite_worse,
        coalesce(judged_composites.is_gain, false) as is_composite_gain,
        judged_composites.composite_improvement,
        judged_composites.p_worse as p_composite_worse,
        judged_composites.p_gain_holm as p_composite_gain_holm,
        coalesce(conditions.is_better and conditions.are_guardrails_kept, false)
            as is_better_and_kept,
        coalesce(
            conditions.is_quality_kept
            and conditions.are_guardrails_proven_kept,
            false
        ) as is_all_kept,
        coalesce(conditions.has_gain or judged_composites.is_gain, false)
            as has_gain,
        not coalesce(conditions.has_enough_tasks, false)
        or conditions.is_direction_unknown
        or conditions.has_low_coverage
        or conditions.has_tripped
        or coalesce(judged_composites.is_worse, false)
        or conditions.has_incomparable
        or conditions.has_hidden_critical
            as is_deploy_forbidden,
        coalesce(conditions.is_direction_unknown, false) as is_direction_unknown
    from comparisons
    left join conditions
        on {{ is_same_verdict('comparisons', 'conditions') }}
    left join judged_composites
        on {{ is_same_verdict('comparisons', 'judged_composites') }}
),

recommended as materialized (
    select
        *,
        case
            when is_harmed then 'reject'
            -- nobody knows whether something was gained in return
            when is_direction_unknown then 'needs_review'
            when has_harmed_guard and not is_better then 'reject'
            when has_harmed_guard then 'needs_review'
            when is_deploy_forbidden then 'needs_review'
            when is_better_and_kept or (is_all_kept and has_gain) then 'deploy'
            else 'needs_review'
        end as recommendation,
        case
            when is_harmed or has_harmed_guard or is_deploy_forbidden then null
            when is_better_and_kept then 'better'
            when is_all_kept and has_gain then 'quality_kept'
        end as recommendation_route,
        case
            when is_harmed then null
            when has_harmed_guard and is_better then 'trade_off'
            when has_harmed_guard then null
            when is_worse_within_margin then 'worse_within_margin'
            when
                not is_deploy_forbidden
                and is_all_kept
                and not has_gain
                and not is_better_and_kept
                then 'not_worse'
        end as label
    from ruled
),

{{ verdict_requirements(settings, level, comparison) }},

{{ verdict_reasons(settings, level, comparison) }},

verdicts as (
    select
        recommended.experiment_id,
        recommended.candidate_group,
        recommended.candidate_version,
        recommended.segment,
        recommended.is_anytime,
        recommended.recommendation,
        recommended.recommendation_route,
        recommended.label,
        array_remove(array[recommended.label], null) as recommendation_labels,
        headlines.headline,
        coalesce(reasons.recommendation_reasons, '[]'::jsonb)
            as recommendation_reasons,
        requirements.required_additional_tasks,
        requirements.required_for,
        requirements.required_note
    from recommended
    left join headlines
        on {{ is_same_verdict('recommended', 'headlines') }}
    left join reasons
        on {{ is_same_verdict('recommended', 'reasons') }}
    left join requirements
        on {{ is_same_verdict('recommended', 'requirements') }}
)
{%- endmacro %}


{# The rule's settings as the project has them. #}
{% macro verdict_settings() -%}
    {%- set alpha = var('alpha') -%}
    {%- do return({
        'alpha': alpha,
        'kept_level': var('kept_level'),
        'minimum_tasks': var('minimum_tasks'),
        'minimum_clusters': var('minimum_clusters'),
        'minimum_coverage': var('minimum_coverage'),
        'harm_level': var('harm_level') or (alpha / 20),
        'gain_level': var('gain_level') or (alpha / 100),
        'minimum_gain': var('minimum_gain'),
        'is_these_tasks': 'false',
        'is_holm_candidates': 'false',
    }) -%}
{%- endmacro %}
