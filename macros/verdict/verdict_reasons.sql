{#
    Why, in the order in which it decided, and the one sentence that a busy
    person reads: steps of the verdict's rule that end in `reasons` and
    `headlines`. A finding is a code, whether it holds, and its sentence; what
    only informs comes last.
#}
{% macro verdict_reasons(settings, level, comparison) -%}
worded_metrics as materialized (
    select
        judged_metrics.*,
        recommended.recommendation,
        recommended.recommendation_route as route,
        recommended.label,
        recommended.is_better as is_comparison_better,
        role = 'deciding' as is_deciding,
        {{ metric_name('metric') }} as name,
        {{ change_in_words('improvement') }} as change,
        {{ change_in_words('lowest') }} as change_at_worst,
        {{ size_in_words('improvement') }} as size,
        {{ size_in_words('low') }} as low_size,
        {{ size_in_words('lowest') }} as lowest_size,
        {{ size_in_words('high') }} as high_size,
        -- two-sided, as people know it
        case
            when p_better is not null
                then least(1, 2 * least(p_better, p_worse))
        end as two_sided_p,
        case
            when margin_pct is null
                then coalesce(trim_scale(improvement_margin::numeric)::text, '')
            when is_fraction
                then {{ number_in_words('margin_pct', 2) }} || ' points'
            else {{ number_in_words('margin_pct', 2) }} || ' %'
        end as margin_in_words
    from judged_metrics
    inner join recommended
        on {{ is_same_verdict('judged_metrics', 'recommended') }}
),

phrased_metrics as materialized (
    select
        *,
        {{ change_in_words(
            'improvement', "', p ' || " ~ p_in_words('two_sided_p')
        ) }} as change_with_p
    from worded_metrics
),

metric_findings as (
    select
        phrased_metrics.experiment_id,
        phrased_metrics.candidate_group,
        phrased_metrics.candidate_version,
        phrased_metrics.segment,
        phrased_metrics.is_anytime,
        phrased_metrics.metric,
        phrased_metrics.role,
        phrased_metrics.improvement,
        phrased_metrics.low,
        phrased_metrics.high,
        phrased_metrics.improvement_margin as margin,
        findings.place,
        findings.code,
        findings.p,
        findings.level,
        findings.sentence
    from phrased_metrics
    cross join
        lateral (  -- noqa: ST05
            {{ verdict_findings(settings, level) }}
        ) as findings
),

composite_findings as (
    select
        {{ comparison }},
        null as metric,
        null as role,
        composite_improvement as improvement,
        null::float8 as low,
        null::float8 as high,
        1::float8 as margin,
        case when is_composite_worse then 19 else 23 end as place,
        case when is_composite_worse then 'composite_worse'
            else 'composite_gain' end as code,
        case
            when is_composite_worse then p_composite_worse
            else p_composite_gain_holm
        end as p,
        case
            when is_composite_worse then {{ level }}
            else {{ settings.gain_level }}::float8
        end as level,
        format(
            'Deciding metric and guardrails together are %s by %s of a margin '
            || '(p %s).',
            case when is_composite_worse then 'worse' else 'better' end,
            {{ number_in_words('abs(composite_improvement)', 2) }},
            {{ p_in_words(
                'case when is_composite_worse then p_composite_worse '
                ~ 'else p_composite_gain_holm end'
            ) }}
        ) as sentence
    from recommended
    where
        (is_composite_worse and recommendation = 'needs_review')
        or (is_composite_gain and recommendation_route = 'quality_kept')
),

missing_findings as (
    select
        {{ comparison }},
        null as metric,
        null as role,
        null::float8 as improvement,
        null::float8 as low,
        null::float8 as high,
        null::float8 as margin,
        11 as place,
        'no_pairs' as code,
        null::float8 as p,
        null::float8 as level,
        'No task has a value of a metric that decides in both arms.' as sentence
    from recommended
    where deciding_metric is null and recommendation != 'reject'
),

all_findings as (
    select * from metric_findings
    union all
    select * from composite_findings
    union all
    select * from missing_findings
),

reasons as (
    select
        {{ comparison }},
        jsonb_agg(
            jsonb_strip_nulls(
                jsonb_build_object(
                    'code', code,
                    'sentence', sentence,
                    'metric', metric,
                    'improvement', improvement,
                    'low', low,
                    'high', high,
                    'p', p,
                    'level', level,
                    'margin', margin
                )
            )
            order by place, metric collate "C" nulls last
        ) as recommendation_reasons
    from all_findings
    group by {{ comparison }}
),

phrases as (
    select
        {{ comparison }},
        max(name) filter (where is_deciding) as deciding_name,
        max(change_with_p) filter (where is_deciding)
            as deciding_change_with_p,
        max(two_sided_p) filter (where is_deciding) as deciding_p,
        max(n_pairs) filter (where is_deciding) as deciding_pairs,
        max(effective_clusters) filter (where is_deciding) as deciding_clusters,
        max(size) filter (where is_deciding) as deciding_size,
        max(low_size) filter (where is_deciding) as deciding_low_size,
        max(high_size) filter (where is_deciding) as deciding_high_size,
        max(lowest_size) filter (where is_deciding) as deciding_lowest_size,
        coalesce(
            bool_or(has_enough_tasks) filter (where is_deciding), false
        ) as has_enough_tasks,
        bool_or(improvement = 0) filter (where is_deciding) as is_equal,
        min(p_value) filter (where is_deciding) as deciding_p_value,
        count(*) filter (where role = 'guardrail') as n_guardrails,
        array_agg(
            change
            order by
                {{ order_of('improvement / improvement_margin') }}, metric
        )
        filter (
            where
            role in ('guardrail', 'success')
            and is_losing
            and p_guard_holm <= {{ settings.harm_level }}
            and has_enough_tasks
        ) as harmed_guards,
        array_agg(
            change
            order by
                {{ order_of('improvement / improvement_margin') }}, metric
        )
        filter (
            where
            role in ('tripwire', 'success')
            and is_losing
            and p_tripwire_holm <= {{ level }}
        ) as tripped,
        array_agg(
            change
            order by
                {{ order_of('improvement / improvement_margin') }} desc, metric
        )
        filter (where role = 'guardrail' and is_gain) as gains,
        array_agg(
            coalesce(change_at_worst, 'any change of ' || name)
            order by
                {{ order_of('lowest / improvement_margin') }} nulls first, metric
        )
        filter (where role = 'guardrail' and not is_kept) as open_guardrails,
        array_agg(name order by {{ order_of('pair_coverage') }}, metric)
        filter (
            where role in ('deciding', 'guardrail') and has_low_coverage
        ) as uncovered,
        min(pair_coverage)
        filter (
            where role in ('deciding', 'guardrail') and has_low_coverage
        ) as least_coverage,
        sum(n_incomparable)
        filter (where role in ('deciding', 'guardrail')) as n_incomparable
    from phrased_metrics
    group by {{ comparison }}
),

headlines as (
    select
        recommended.experiment_id,
        recommended.candidate_group,
        recommended.candidate_version,
        recommended.segment,
        recommended.is_anytime,
        {{ verdict_headline() }} as headline
    from recommended
    left join phrases
        on {{ is_same_verdict('recommended', 'phrases') }}
)
{%- endmacro %}


{# What a list is ordered by: what is equal but for rounding goes by name. #}
{% macro order_of(value) -%}
    round(({{ value }})::numeric, 9)
{%- endmacro %}
