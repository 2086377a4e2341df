-- sqlfluff:exclude_rules:LT02
{#
    First steps of the verdict's rule, which end in `adjusted_harms` and
    `adjusted_gains`: the p-values and bounds that it goes by, and each claim of
    a harm or a gain adjusted for the others of its family.
#}
{% macro verdict_claims(settings, comparison) -%}
{% if settings.is_anytime is defined -%}
bounds as (select {{ settings.is_anytime }} as is_anytime),
{%- else -%}
bounds as (
    select false as is_anytime
    union all
    select true as is_anytime
),
{%- endif %}

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
        n_quarantined,
        n_quarantined_worse,
        n_quarantined_better,
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
)
{%- endmacro %}
