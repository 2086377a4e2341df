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
    experiment_id, candidate_group, candidate_version, segment, is_anytime
{%- endset -%}
{%- set level = '(' ~ settings.alpha ~ ' / 2.0::float8)' -%}
bounds as (
    select false as is_anytime
    union all
    select true as is_anytime
),

bounded_evidence as (
    select
        evidence.*,
        bounds.is_anytime,
        coalesce(
            evidence.n_pairs >= {{ settings.minimum_tasks }}
            and evidence.effective_clusters
            >= {{ settings.minimum_clusters }} - 1e-9,
            false
        ) as has_enough_tasks,
        evidence.role = 'deciding'
        and {{ settings.is_these_tasks }}
        and not bounds.is_anytime
            as is_of_these_tasks
    from evidence
    cross join bounds
),

-- the p-values and bounds that the verdict goes by
metric_tests as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        is_anytime,
        metric,
        kind,
        role,
        role_note,
        direction_source,
        flags,
        n_pairs,
        n_tasks,
        n_incomparable,
        n_candidates,
        effective_clusters,
        pair_coverage,
        baseline_mean,
        candidate_mean,
        has_enough_tasks,
        is_fraction,
        is_of_ratio_kind,
        is_difference_instead,
        improvement,
        improvement_error,
        improvement_margin,
        lower_improvement,
        lower_improvement_error,
        improvement_pct,
        margin_pct,
        p_value,
        mean_difference,
        case
            when is_anytime then improvement_sequence_low
            when is_of_these_tasks then fixed_tasks_low
            else improvement_low
        end as low,
        case
            when is_anytime then improvement_sequence_high
            when is_of_these_tasks then fixed_tasks_high
            else improvement_high
        end as high,
        case
            when is_anytime then either_improvement_sequence_low
            when is_of_these_tasks then fixed_tasks_low
            else either_improvement_low
        end as lowest,
        case
            when is_anytime then p_better_anytime
            when is_of_these_tasks then p_better_fixed_tasks
            when role = 'deciding' and {{ settings.is_holm_candidates }}
                then p_better_holm_candidates
            else p_better
        end as p_better,
        case
            when is_anytime then p_worse_anytime
            when is_of_these_tasks then p_worse_fixed_tasks
            else p_worse
        end as p_worse,
        case
            when is_anytime then p_lost_anytime
            when is_of_these_tasks then p_lost_fixed_tasks
            else p_lost
        end as p_lost,
        case
            when is_anytime then either_p_worse_anytime
            when is_of_these_tasks then either_p_worse_fixed_tasks
            else either_p_worse
        end as either_p_worse
    from bounded_evidence
    where role != 'none' or role_note = 'one_arm_only'
),

composite_tests as (
    select
        composites.experiment_id,
        composites.candidate_group,
        composites.candidate_version,
        composites.segment,
        bounds.is_anytime,
        composites.composite_improvement,
        case
            when bounds.is_anytime then composites.p_better_anytime
            else composites.p_better
        end as p_better,
        case
            when bounds.is_anytime then composites.p_worse_anytime
            else composites.p_worse
        end as p_worse
    from composites
    cross join bounds
),

-- every claim there is; each family is adjusted for its own number of claims
claims as (
    select
        *,
        case when role in ('guardrail', 'success') then p_worse end
            as p_harm_of_guards,
        case when role in ('tripwire', 'success') then p_worse end
            as p_harm_of_tripwires,
        case when role = 'guardrail' then p_better end as p_gain
    from metric_tests
),

-- the composite is one more claim of a gain
gain_claims as (
    select
        {{ comparison }},
        metric,
        p_gain
    from claims
    where p_gain is not null
    union all
    select
        {{ comparison }},
        null as metric,
        p_better as p_gain
    from composite_tests
    where p_better is not null
),

stepped_gains as (
    select
        *,
        {{ holm_step('p_gain', comparison) }} as step
    from gain_claims
),

adjusted_gains as (
    select
        {{ comparison }},
        metric,
        {{ holm_p_value('step', 'p_gain', comparison) }} as p_gain_holm
    from stepped_gains
),

stepped_harms as (
    select
        *,
        {{ holm_step('p_harm_of_guards', comparison) }} as step_of_guards,
        {{ holm_step('p_harm_of_tripwires', comparison) }}
            as step_of_tripwires
    from claims
),

adjusted_harms as (
    select
        *,
        {{ holm_p_value('step_of_guards', 'p_harm_of_guards', comparison) }}
            as p_guard_holm,
        {{
            holm_p_value('step_of_tripwires', 'p_harm_of_tripwires', comparison)
        }} as p_tripwire_holm
    from stepped_harms
),

-- each metric by itself
judged_metrics as materialized (
    select
        adjusted_harms.*,
        adjusted_gains.p_gain_holm,
        coalesce(adjusted_harms.p_better <= {{ level }}, false) as is_better,
        coalesce(adjusted_harms.p_worse <= {{ level }}, false) as is_worse,
        coalesce(adjusted_harms.either_p_worse <= {{ level }}, false)
            as is_worse_in_either_reading,
        coalesce(adjusted_harms.p_lost <= {{ settings.kept_level }}, false)
            as is_kept,
        coalesce(adjusted_harms.p_lost <= {{ level }}, false) as is_proven_kept,
        coalesce(
            adjusted_harms.improvement < 0
            and not coalesce(
                adjusted_harms.p_lost <= {{ settings.kept_level }}, false
            ),
            false
        ) as is_losing,
        coalesce(
            adjusted_harms.lower_improvement
            >= {{ settings.minimum_gain }} * adjusted_harms.improvement_margin
            and adjusted_gains.p_gain_holm <= {{ settings.gain_level }},
            false
        ) as is_gain,
        coalesce(
            adjusted_harms.pair_coverage
            < {{ settings.minimum_coverage }} - {{ rounding_noise() }},
            false
        ) as has_low_coverage
    from adjusted_harms
    left join adjusted_gains
        on
            {{
                is_same_comparison(
                    'adjusted_harms',
                    'adjusted_gains',
                    ['segment', 'is_anytime', 'metric'],
                )
            }}
),

judged_composites as (
    select
        composite_tests.*,
        adjusted_gains.p_gain_holm,
        coalesce(
            composite_tests.composite_improvement >= {{ settings.minimum_gain }}
            and adjusted_gains.p_gain_holm <= {{ settings.gain_level }},
            false
        ) as is_gain,
        coalesce(composite_tests.p_worse <= {{ level }}, false) as is_worse
    from composite_tests
    left join adjusted_gains
        on
            {{ is_same_verdict('composite_tests', 'adjusted_gains') }}
            and adjusted_gains.metric is null
),

comparisons as (
    select distinct {{ comparison }}
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
        ) as has_incomparable
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
