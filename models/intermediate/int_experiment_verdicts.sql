{#
    One verdict a comparison and kind of bound: the rule of old, and the rule
    that wants evidence, which only ever moves the old one towards needs_review.
    is_anytime says whether its bounds hold at every look.

    deploy is an intersection-union test: every guardrail and the weighted
    improvement have to pass, so no correction for multiplicity is due. The
    claims of harm are alternatives, any one suffices: Holm.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_experiments",
        unique_key=[
            "experiment_id",
            "candidate_group",
            "candidate_version",
            "is_anytime",
        ],
        indexes=[{"columns": ["experiment_id"]}],
        pre_hook="{{
            start_build(
                parents=[
                    'experiment_metric_comparisons', 'int_composite_moments'
                ],
                settings=[
                    'alpha',
                    'planned_tasks',
                    'legacy_deploy_above_pct',
                    'legacy_reject_below_pct',
                    'legacy_max_degradation_pct',
                    'legacy_min_candidate_mean',
                ],
                include_linked=true,
            )
        }}",
        post_hook="{{ finish_build() }}",
    )
}}
{%- set alpha = var('alpha') %}
{%- set reject_below_pct = var('legacy_reject_below_pct') %}
{%- set deploy_above_pct = var('legacy_deploy_above_pct') %}
{%- set max_degradation_pct = var('legacy_max_degradation_pct') %}
{%- set min_mean = var('legacy_min_candidate_mean') %}

with

metric_comparisons as (
    {{ changed_rows(ref('experiment_metric_comparisons')) }}
),

composite_moments as (
    {{ changed_rows(ref('int_composite_moments')) }}
),

bounds as (
    select false as is_anytime
    union all
    select true as is_anytime
),

composite_errors as materialized (
    select
        *,
        n_tasks * (n_tasks / nullif(squared_sizes, 0)) as effective_clusters,
        case
            when
                sqrt(squared_influences)
                > 1e-12 * greatest(abs(weighted_improvement), 1e-3)
                then sqrt(
                    squared_influences * n_clusters / nullif(n_clusters - 1, 0)
                )
        end as weighted_improvement_error
    from composite_moments
),

bounded_composites as (
    select
        composite_errors.*,
        bounds.is_anytime
    from composite_errors
    cross join bounds
),

composites as materialized (
    select
        *,
        case
            when is_anytime
                then
                    {{ statistical_function('confidence_sequence_halfwidth') }}(
                        weighted_improvement_error * sqrt(effective_clusters),
                        effective_clusters,
                        {{ alpha }},
                        {{ var('planned_tasks') }}
                    )
            else nullif({{ statistical_function('safe_multiply') }}(
                {{ statistical_function('student_t_ppf') }}(
                    1 - {{ alpha }} / 2.0::float8, effective_clusters - 1
                ),
                weighted_improvement_error
            ), 'Infinity')
        end as half_width,
        {{ statistical_function('student_t_cdf') }}(
            {{ statistical_function('safe_divide') }}(
                weighted_improvement, weighted_improvement_error
            ),
            effective_clusters - 1
        ) as p_harm,
        {{ statistical_function('safe_square') }}(
            {{ statistical_function('safe_divide') }}(
                weighted_improvement_error * (
                    {{ statistical_function('normal_ppf') }}(
                        1 - {{ alpha }} / 2.0::float8
                    )
                    + {{ statistical_function('normal_ppf') }}(0.8)
                ),
                weighted_improvement
            )
        ) as required_share
    from bounded_composites
),

bounded_metrics as materialized (
    select
        metric_comparisons.*,
        bounds.is_anytime
    from metric_comparisons
    cross join bounds
),

-- a two-sided p-value that holds at every look is halved on the side of harm
harm_claims as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        metric,
        improvement < -improvement_margin as is_beyond_margin,
        case
            when not is_anytime then p_harm
            when
                improvement < 0
                and case direction when 'lower' then -1 else 1 end
                * mean_difference < 0
                then p_anytime / 2
            when p_anytime is not null then 1
        end as p_harm
    from bounded_metrics
    where weight > 0 or non_inferiority_margin > 0
    union all
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        null as metric,
        100 * weighted_improvement < {{ reject_below_pct }} as is_beyond_margin,
        case
            when not is_anytime then p_harm
            when weighted_improvement + half_width < 0 then 0
            else 1
        end as p_harm
    from composites
),

ranked_claims as (
    select
        *,
        count(p_harm) over comparisons as n_claims,
        row_number() over (
            comparisons order by p_harm asc nulls last, metric collate "C" asc
        ) as p_rank
    from harm_claims
    window comparisons as (
        partition by
            experiment_id, candidate_group, candidate_version, is_anytime
    )
),

adjusted_claims as (
    select
        *,
        least(
            1,
            max(p_harm * (n_claims - p_rank + 1)) over (
                partition by
                    experiment_id,
                    candidate_group,
                    candidate_version,
                    is_anytime
                order by p_rank
            )
        ) as p_harm_holm
    from ranked_claims
),

established_harms as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        jsonb_object_agg(
            coalesce(metric, 'weighted_improvement'), p_harm_holm
        ) as harms
    from adjusted_claims
    where is_beyond_margin and p_harm_holm <= {{ alpha }} / 2.0
    group by experiment_id, candidate_group, candidate_version, is_anytime
),

-- each metric as the rule sees it, under either kind of bound
guarded_metrics as materialized (
    select
        *,
        weight > 0 as is_weighted,
        non_inferiority_margin > 0 and n_tasks > n_unscored as is_guardrail,
        -- nothing varies: a score may still drop by 1 in as many tasks as
        -- would go unseen; a cost that is the same everywhere is known
        case
            when is_anytime and improvement_sequence_low is not null
                then improvement_sequence_low
            when not is_anytime and improvement_low is not null
                then improvement_low
            when not has_zero_variance or effective_clusters < 10 then null
            when kind != 'score' then improvement
            when abs(improvement) <= 1
                then
                    improvement - (1 + improvement)
                    * {{ statistical_function('clopper_pearson_upper') }}(
                        0, round(effective_clusters), {{ alpha }}
                    )
        end as guarded_low,
        weight > 0
        and coalesce(
            100 * relative_change < -{{ max_degradation_pct }} - 1e-10, false
        )
            as is_degraded,
        weight > 0 and kind = 'score'
        and coalesce(candidate_mean < {{ min_mean }} - 1e-12, false)
            as is_low_score
    from bounded_metrics
),

legacy_inputs as materialized (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        sum(weight * avg_improvement_pct) filter (where is_weighted)
        / nullif(
            sum(weight) filter (
                where is_weighted and avg_improvement_pct is not null
            ),
            0
        ) as legacy_weighted_improvement_pct,
        bool_or(is_degraded or is_low_score) as is_legacy_reject,
        max(required_additional_tasks) filter (where is_guardrail)
            as guardrail_additional_tasks,
        max(required_repetitions) filter (where is_guardrail)
            as required_repetitions,
        bool_or(is_guardrail and is_underpowered) as is_underpowered,
        bool_and(is_equivalent) filter (where is_guardrail) as is_equivalent
    from guarded_metrics
    group by experiment_id, candidate_group, candidate_version, is_anytime
),

weighed as (
    select
        legacy_inputs.*,
        established_harms.harms,
        composites.weighted_improvement,
        composites.weighted_improvement_error,
        composites.half_width,
        composites.p_harm,
        composites.weighted_improvement - composites.half_width
            as weighted_improvement_low,
        composites.weighted_improvement + composites.half_width
            as weighted_improvement_high,
        ceil(least(
            composites.n_tasks * greatest(composites.required_share - 1, 0),
            1e15
        ))::bigint as composite_additional_tasks
    from legacy_inputs
    left join composites
        on
            legacy_inputs.experiment_id = composites.experiment_id
            and legacy_inputs.candidate_group = composites.candidate_group
            and legacy_inputs.candidate_version = composites.candidate_version
            and legacy_inputs.is_anytime = composites.is_anytime
    left join established_harms
        on
            legacy_inputs.experiment_id = established_harms.experiment_id
            and legacy_inputs.candidate_group
            = established_harms.candidate_group
            and legacy_inputs.candidate_version
            = established_harms.candidate_version
            and legacy_inputs.is_anytime = established_harms.is_anytime
),

legacy_verdicts as materialized (
    select
        *,
        case
            when is_legacy_reject then 'reject'
            when
                legacy_weighted_improvement_pct
                < {{ reject_below_pct }} - 1e-10
                then 'reject'
            when
                legacy_weighted_improvement_pct
                > {{ deploy_above_pct }} + 1e-10
                then 'deploy'
            else 'needs_review'
        end as legacy_recommendation
    from weighed
),

judged_metrics as materialized (
    select
        guarded_metrics.*,
        legacy_verdicts.legacy_recommendation,
        (legacy_verdicts.harms ->> guarded_metrics.metric)::float8
            as p_established_harm
    from guarded_metrics
    inner join legacy_verdicts
        on
            guarded_metrics.experiment_id = legacy_verdicts.experiment_id
            and guarded_metrics.candidate_group
            = legacy_verdicts.candidate_group
            and guarded_metrics.candidate_version
            = legacy_verdicts.candidate_version
            and guarded_metrics.is_anytime = legacy_verdicts.is_anytime
),

-- what a metric has to say: does it force a review, hold back or establish
metric_findings as (
    select
        judged_metrics.experiment_id,
        judged_metrics.candidate_group,
        judged_metrics.candidate_version,
        judged_metrics.is_anytime,
        judged_metrics.metric,
        findings.place,
        findings.code,
        findings.sentence
    from judged_metrics
    cross join
        lateral (
            values
            {{ verdict_findings(alpha, max_degradation_pct, min_mean) }}
        ) as findings (place, code, holds, sentence)
    where findings.holds
),

composite_findings as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        null as metric,
        5 as place,
        case
            when weighted_improvement is null then 'no_weighted_improvement'
            else 'weighted_improvement'
        end as code,
        {{ weighted_improvement_sentence(alpha) }} as sentence
    from legacy_verdicts
    union all
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        null as metric,
        9 as place,
        'harm_established' as code,
        format(
            'That the weighted improvement is negative is established (p %s).',
            {{ display_p_value("(harms ->> 'weighted_improvement')::float8") }}
        ) as sentence
    from legacy_verdicts
    where harms ? 'weighted_improvement'
    union all
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        null as metric,
        6 as place,
        'small_change' as code,
        format(
            'By the averages the change is %s %%, too small for the rule of '
            || 'old to decide.',
            coalesce(
                {{ display_number('legacy_weighted_improvement_pct', 2) }},
                'unknown'
            )
        ) as sentence
    from legacy_verdicts
    where legacy_recommendation = 'needs_review'
),

all_findings as (
    select * from metric_findings
    union all
    select * from composite_findings
),

reasons as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        bool_or(
            code in (
                'low_coverage',
                'missing_flips_sign',
                'few_clusters',
                'zero_baseline'
            )
        ) as is_review_forced,
        bool_or(code = 'guardrail_open') as has_open_guardrail,
        bool_or(code in ('harm_established', 'low_score_established'))
            as is_harm_established,
        jsonb_agg(
            case
                when metric is null
                    then jsonb_build_object('code', code, 'sentence', sentence)
                else
                    jsonb_build_object(
                        'code', code, 'sentence', sentence, 'metric', metric
                    )
            end
            order by place, metric collate "C"
        ) as recommendation_reasons
    from all_findings
    group by experiment_id, candidate_group, candidate_version, is_anytime
),

reasoned as (
    select
        legacy_verdicts.*,
        reasons.recommendation_reasons,
        reasons.is_review_forced,
        reasons.has_open_guardrail,
        reasons.is_harm_established
    from legacy_verdicts
    inner join reasons
        on
            legacy_verdicts.experiment_id = reasons.experiment_id
            and legacy_verdicts.candidate_group = reasons.candidate_group
            and legacy_verdicts.candidate_version = reasons.candidate_version
            and legacy_verdicts.is_anytime = reasons.is_anytime
),

verdicts as (
    select
        *,
        -- more tasks can confirm the old rule, not turn it round
        coalesce(
            case legacy_recommendation
                when 'deploy'
                    then
                        weighted_improvement > 0
                        and weighted_improvement_low <= 0
                when 'reject'
                    then
                        weighted_improvement < 0
                        and weighted_improvement_high >= 0
            end,
            false
        ) as is_improvement_open,
        case
            when is_review_forced then 'needs_review'
            when
                legacy_recommendation = 'deploy'
                and weighted_improvement_low > 0
                and not has_open_guardrail
                then 'deploy'
            when
                legacy_recommendation = 'reject'
                and is_harm_established
                then 'reject'
            else 'needs_review'
        end as recommendation
    from reasoned
),

experiment_verdicts as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        is_anytime,
        recommendation,
        legacy_recommendation,
        case
            when
                legacy_recommendation = 'reject'
                and recommendation = 'needs_review'
                and not is_review_forced
                then
                    recommendation_reasons || jsonb_build_object(
                        'code', 'harm_not_established',
                        'sentence',
                        'By the averages it is a step back; harm beyond a '
                        || 'margin is not established.'
                    )
            else recommendation_reasons
        end as recommendation_reasons,
        array_remove(array[
            case when is_equivalent then 'equivalent' end,
            case when is_underpowered then 'underpowered' end
        ], null) as recommendation_labels,
        case
            when recommendation = 'needs_review'
                then nullif(
                    greatest(
                        guardrail_additional_tasks,
                        case
                            when is_improvement_open
                                then composite_additional_tasks
                        end
                    ),
                    0
                )
        end as required_additional_tasks,
        case when recommendation = 'needs_review' then required_repetitions end
            as required_repetitions,
        legacy_weighted_improvement_pct,
        100 * weighted_improvement as weighted_improvement_pct,
        100 * weighted_improvement_error as weighted_improvement_error_pct,
        100 * weighted_improvement_low as weighted_improvement_low_pct,
        100 * weighted_improvement_high as weighted_improvement_high_pct,
        p_harm as p_weighted_harm
    from verdicts
)

select * from experiment_verdicts
