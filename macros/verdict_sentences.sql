{# A number for a sentence; to_char would cut large ones, numeric does not. #}
{% macro display_number(value, digits) -%}
    round(({{ value }})::numeric, {{ digits }})::text
{%- endmacro %}


{# '= 0.012' or '< 0.0001'. #}
{% macro display_p_value(value) -%}
    case
        when {{ value }} < 0.0001 then '< 0.0001'
        else '= ' || round(({{ value }})::numeric, 4)::text
    end
{%- endmacro %}


{#
    How much worse, of an improvement on the scale of the margin (a difference
    of scores, a logarithm of a ratio): points, per cent, or the metric's unit.
#}
{% macro display_harm(improvement) -%}
    case
        when kind = 'score'
            then
                {{ display_number('-100 * (' ~ improvement ~ ')', 1) }} || ' points'
        when kind in ('latency', 'tokens', 'cost') and direction = 'lower'
            then
                round(
                    (100 * (exp(least(-({{ improvement }}), 20)) - 1))::numeric, 1
                ) || ' %'
        when kind in ('latency', 'tokens', 'cost')
            then
                round(
                    (100 * (1 - exp(greatest({{ improvement }}, -20))))::numeric,
                    1
                ) || ' %'
        else trim_scale(-({{ improvement }})::numeric)::text
    end
{%- endmacro %}


{#
    What a metric may have to say on the verdict: order, code, whether it holds,
    and the sentence with the numbers.
#}
{% macro verdict_findings(alpha, max_degradation_pct, min_mean) %}
(
    1,
    'low_coverage',
    (is_weighted or is_guardrail) and 'low_coverage' = any(flags),
    format(
        'Only %s %% of the tasks have %s in both arms.',
        {{ display_number('100 * pair_coverage', 1) }},
        metric
    )
),
(
    2,
    'missing_flips_sign',
    is_weighted and 'missing_flips_sign' = any(flags),
    format(
        'The change of %s turns round when missing values count as 0.', metric
    )
),
(
    3,
    'few_clusters',
    is_weighted and n_pairs > 0 and 'few_clusters' = any(flags),
    format(
        '%s rests on %s independent %s, too few to decide.',
        metric,
        trim_scale({{ display_number('effective_clusters', 1) }}::numeric),
        case when n_clusters < n_pairs then 'clusters' else 'tasks' end
    )
),
(
    4,
    'zero_baseline',
    is_weighted and coalesce(has_zero_baseline, false),
    format('The baseline''s mean of %s is 0: nothing to relate to.', metric)
),
(
    7,
    'degraded',
    is_degraded,
    format(
        '%s is %s %% worse, beyond the %s %% that the rule of old allows.',
        metric,
        {{ display_number('-100 * relative_change', 1) }},
        {{ max_degradation_pct }}
    )
),
(
    8,
    'low_score',
    is_low_score,
    format(
        'The candidate''s mean of %s is %s, below %s.',
        metric,
        {{ display_number('candidate_mean', 3) }},
        {{ min_mean }}
    )
),
(
    9,
    'harm_established',
    p_established_harm is not null,
    format(
        '%s is worse by %s, beyond its margin, and not by chance (p %s).',
        metric,
        {{ display_harm('improvement') }},
        {{ display_p_value('p_established_harm') }}
    )
),
(
    10,
    'low_score_established',
    is_weighted and kind = 'score' and n_pairs > 0 and not is_anytime
    and candidate_mean_high < {{ min_mean }},
    format(
        'The mean of %s is at most %s with %s %% confidence, below %s.',
        metric,
        {{ display_number('candidate_mean_high', 3) }},
        {{ '%g' % (100 - 100 * alpha) }},
        {{ min_mean }}
    )
),
(
    11,
    'guardrail_open',
    is_guardrail
    and legacy_recommendation = 'deploy'
    and coalesce(guarded_low <= -improvement_margin, true),
    case
        when guarded_low is null
            then format(
                '%s has no interval to hold to its margin (%s pairs).',
                metric, n_pairs
            )
        else format(
            '%s may be worse by %s; its margin is %s.',
            metric,
            {{ display_harm('guarded_low') }},
            {{ display_harm('-improvement_margin') }}
        )
    end
),
(
    12,
    'incomparable_versions',
    (is_weighted or is_guardrail) and n_incomparable > 0,
    format(
        '%s tasks scored for %s under different versions are left out.',
        n_incomparable,
        metric
    )
)
{% endmacro %}


{# The weighted improvement, its interval, and whether 0 is inside. #}
{% macro weighted_improvement_sentence(alpha) -%}
    case
        when weighted_improvement is null
            then 'No weighted metric has a pair to compute an improvement from.'
        when half_width is null
            then format(
                'The weighted improvement is %s %%, its interval unknown.',
                {{ display_number('100 * weighted_improvement', 2) }}
            )
        else format(
            'The weighted improvement is %s %% (%s %% interval %s to %s %%)%s.',
            {{ display_number('100 * weighted_improvement', 2) }},
            {{ '%g' % (100 - 100 * alpha) }},
            {{ display_number('100 * weighted_improvement_low', 2) }},
            {{ display_number('100 * weighted_improvement_high', 2) }},
            case
                when weighted_improvement_low > 0 then ''
                when weighted_improvement_high < 0 then ''
                else ': no change is not excluded'
            end
        )
    end
{%- endmacro %}
