{#
    What each metric of a comparison shows and what say it has: the two readings
    of a score brought together (a condition holds only where both satisfy it),
    the part that the metric plays in the verdict, and the p-values adjusted for
    what else could have raised the alarm (Holm 1979).
#}
{%- set key = [
    "experiment_id",
    "candidate_group",
    "candidate_version",
    "segment",
    "metric",
] %}
{{
    config(
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        meta={
            "settings": [
                "alpha",
                "kept_level",
                "minimum_coverage",
                "minimum_clusters",
            ],
        },
    )
}}
{%- set level = var('alpha') ~ ' / 2.0::float8' %}
{%- set comparison
    = 'experiment_id, candidate_group, candidate_version, segment' %}
{%- set candidates = 'experiment_id, segment, metric' %}

with

estimates as (
    {{ changed_rows(ref('int_metric_comparison_estimates')) }}
),

recorded as (
    select * from estimates
    where not counts_missing
),

missing as (
    select * from estimates
    where counts_missing
),

{{ quarantined_metrics() }},

both_readings as materialized (
    select
        recorded.*,
        coalesce(quarantined_metrics.n_quarantined, 0) as n_quarantined,
        coalesce(quarantined_metrics.n_quarantined_worse, 0)
            as n_quarantined_worse,
        coalesce(quarantined_metrics.n_quarantined_better, 0)
            as n_quarantined_better,
        coalesce(quarantined_critical.n_tasks, 0) as n_quarantined_critical,
        recorded.direction = 'unknown' as has_unknown_direction,
        coalesce(
            missing.improvement,
            case when recorded.kind = 'score' then recorded.improvement end
        ) as improvement_missing_as_zero,
        -- of two alike, the one that is known less well
        case
            when
                missing.improvement
                < recorded.improvement - {{ rounding_noise() }}
                then missing.improvement
            when
                missing.improvement
                < recorded.improvement + {{ rounding_noise() }}
                and missing.improvement_error > recorded.improvement_error
                then missing.improvement
            else recorded.improvement
        end as lower_improvement,
        case
            when
                missing.improvement
                < recorded.improvement - {{ rounding_noise() }}
                then missing.improvement_error
            when
                missing.improvement
                < recorded.improvement + {{ rounding_noise() }}
                and missing.improvement_error > recorded.improvement_error
                then missing.improvement_error
            else recorded.improvement_error
        end as lower_improvement_error,
        {% for name in [
            'p_better',
            'p_worse',
            'p_lost',
            'p_better_anytime',
            'p_worse_anytime',
            'p_lost_anytime',
            'p_better_fixed_tasks',
            'p_worse_fixed_tasks',
            'p_lost_fixed_tasks',
        ] %}
            case
                when missing.metric is null then recorded.{{ name }}
                when missing.{{ name }} > recorded.{{ name }}
                    then missing.{{ name }}
                when missing.{{ name }} is not null then recorded.{{ name }}
            end as both_{{ name }},
        {% endfor %}
        -- worse, and how much may be lost, in either reading
        least(recorded.improvement_low, missing.improvement_low)
            as either_improvement_low,
        least(
            recorded.improvement_sequence_low, missing.improvement_sequence_low
        ) as either_improvement_sequence_low,
        least(recorded.p_worse, missing.p_worse) as either_p_worse,
        least(recorded.p_worse_anytime, missing.p_worse_anytime)
            as either_p_worse_anytime,
        least(recorded.p_worse_fixed_tasks, missing.p_worse_fixed_tasks)
            as either_p_worse_fixed_tasks
    from recorded
    left join missing
        on
            {{
                is_same_comparison('recorded', 'missing', ['segment', 'metric'])
            }}
    left join quarantined_metrics
        on
            {{
                is_same_comparison(
                    'recorded', 'quarantined_metrics', ['metric']
                )
            }}
            and recorded.segment = ''
    -- no part is deployed either: which one the task would be in is not kept
    left join quarantined_critical
        on {{ is_same_comparison('recorded', 'quarantined_critical') }}
),

with_roles as materialized (
    select
        *,
        case
            when is_deciding then 'deciding'
            when has_unknown_direction then 'none'
            when kind = 'success' then 'success'
            when kind = 'reliability' then 'none'
            when is_declared and non_inferiority_margin > 0
                then
                    case
                        when kind != 'score' and is_in_one_arm then 'none'
                        else 'guardrail'
                    end
            when kind = 'score' then 'tripwire'
            else 'none'
        end as role
    from both_readings
),

-- what nobody knows the direction of is neither better nor worse
directed as materialized (
    select
        *,
        case
            when role != 'none' then null
            when has_unknown_direction then 'direction_unknown'
            when kind = 'reliability' then 'reliability'
            when is_declared and non_inferiority_margin > 0 then 'one_arm_only'
            else 'no_margin'
        end as role_note,
        {% for name in [
            'p_better',
            'p_worse',
            'p_lost',
            'p_better_anytime',
            'p_worse_anytime',
            'p_lost_anytime',
            'p_better_fixed_tasks',
            'p_worse_fixed_tasks',
            'p_lost_fixed_tasks',
        ] %}
            case when not has_unknown_direction then both_{{ name }} end
                as known_{{ name }},
        {% endfor %}
        {% for name in [
            'improvement',
            'improvement_error',
            'improvement_low',
            'improvement_high',
            'improvement_sequence_low',
            'improvement_sequence_high',
        ] %}
            case when not has_unknown_direction then {{ name }} end
                as known_{{ name }},
        {% endfor %}
        case
            when not has_unknown_direction and role in ('guardrail', 'success')
                then both_p_worse
        end as p_worse_of_guards,
        case
            when not has_unknown_direction and role in ('tripwire', 'success')
                then both_p_worse
        end as p_worse_of_tripwires
    from with_roles
),

stepped as (
    select
        *,
        {{ holm_step('p_worse_of_guards', comparison) }} as step_of_guards,
        {{ holm_step('p_worse_of_tripwires', comparison) }}
            as step_of_tripwires,
        {{ holm_step('known_p_better', candidates) }} as step_of_candidates
    from directed
),

adjusted as (
    select
        *,
        case
            when role = 'tripwire'
                then {{ holm_p_value(
                    'step_of_tripwires', 'p_worse_of_tripwires', comparison
                ) }}
            else {{ holm_p_value(
                'step_of_guards', 'p_worse_of_guards', comparison
            ) }}
        end as p_worse_holm,
        {{ holm_p_value('step_of_candidates', 'known_p_better', candidates) }}
            as p_better_holm_candidates,
        known_p_better <= {{ level }} as is_better,
        known_p_worse <= {{ level }} as is_worse,
        known_p_lost <= {{ var('kept_level') }} as is_kept,
        known_p_lost <= {{ level }} as is_proven_kept
    from stepped
),

evidence as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        metric,
        kind,
        direction,
        case
            when has_unknown_direction then 'unknown'
            when is_direction_said then 'service'
            when kind = 'score' and not is_declared then 'assumed'
            else 'declared'
        end as direction_source,
        role,
        role_note,
        method,
        case
            when has_unknown_direction and p_value is null then 'open'
            when has_unknown_direction and p_value <= {{ var('alpha') }}
                then 'changed'
            when has_unknown_direction then 'unchanged'
            when is_better then 'better'
            when is_worse and known_improvement < 0 and is_kept then 'worse'
            when is_worse and known_improvement < 0 then 'harmed'
            when is_proven_kept then 'proven_kept'
            when is_kept then 'kept'
            else 'open'
        end as finding,
        whole_segments,
        n_tasks,
        n_planned_tasks,
        n_pairs,
        n_baseline_only,
        n_candidate_only,
        n_incomparable,
        n_quarantined,
        n_quarantined_worse,
        n_quarantined_better,
        n_quarantined_critical,
        n_unscored,
        n_clusters,
        n_ratio_excluded,
        wins,
        losses,
        ties,
        required_repetitions,
        weight,
        non_inferiority_margin,
        margin,
        pair_coverage,
        baseline_coverage,
        candidate_coverage,
        effective_clusters,
        baseline_mean,
        baseline_mean_low,
        baseline_mean_high,
        candidate_mean,
        candidate_mean_low,
        candidate_mean_high,
        mean_difference,
        unpaired_mean_difference,
        relative_change,
        stddev_difference,
        pair_correlation,
        standard_error,
        standard_error_clustered,
        degrees_of_freedom,
        ci_low,
        ci_high,
        p_value,
        p_value_exact,
        p_sign_test,
        effect_size_dz,
        probability_of_superiority,
        ratio,
        ratio_low,
        ratio_high,
        case when not has_unknown_direction then p_non_inferiority end
            as p_non_inferiority,
        case when not has_unknown_direction then p_equivalence end
            as p_equivalence,
        minimum_detectable_effect,
        known_improvement as improvement,
        known_improvement_error as improvement_error,
        known_improvement_low as improvement_low,
        known_improvement_high as improvement_high,
        known_improvement_sequence_low as improvement_sequence_low,
        known_improvement_sequence_high as improvement_sequence_high,
        improvement_margin,
        {{ shown_improvement('known_improvement') }} as improvement_pct,
        {{ shown_improvement('known_improvement_low') }} as improvement_low_pct,
        {{ shown_improvement('known_improvement_high') }}
            as improvement_high_pct,
        case when is_fraction or is_of_ratio_kind then 100 * margin end
            as margin_pct,
        detectable_improvement,
        case when not has_unknown_direction then improvement_missing_as_zero end
            as improvement_missing_as_zero,
        lower_improvement,
        lower_improvement_error,
        case when not has_unknown_direction then either_improvement_low end
            as either_improvement_low,
        case
            when not has_unknown_direction then either_improvement_sequence_low
        end as either_improvement_sequence_low,
        known_p_better as p_better,
        known_p_worse as p_worse,
        known_p_lost as p_lost,
        known_p_better_anytime as p_better_anytime,
        known_p_worse_anytime as p_worse_anytime,
        known_p_lost_anytime as p_lost_anytime,
        either_p_worse,
        either_p_worse_anytime,
        either_p_worse_fixed_tasks,
        p_worse_holm,
        p_better_holm_candidates,
        count(*) over (partition by {{ candidates }}) as n_candidates,
        variance_between_tasks,
        variance_within_task,
        standard_error_fixed_tasks,
        degrees_of_freedom_fixed_tasks,
        case when not has_unknown_direction then fixed_tasks_low end
            as fixed_tasks_low,
        case when not has_unknown_direction then fixed_tasks_high end
            as fixed_tasks_high,
        known_p_better_fixed_tasks as p_better_fixed_tasks,
        known_p_worse_fixed_tasks as p_worse_fixed_tasks,
        known_p_lost_fixed_tasks as p_lost_fixed_tasks,
        cs_low,
        cs_high,
        p_anytime,
        mean_difference_missing_as_zero,
        worst_case_low,
        best_case_high,
        is_declared,
        is_of_ratio_kind,
        is_fraction,
        is_difference_instead,
        has_zero_baseline,
        has_zero_variance,
        coalesce(p_equivalence <= {{ var('alpha') }}, false) as is_equivalent,
        coalesce(
            detectable_improvement > improvement_margin
            and improvement_margin > 0,
            false
        ) as is_underpowered,
        {{ comparison_flags() }} as flags
    from adjusted
)

select * from evidence
