-- sqlfluff:exclude_rules:LT02
{#
    What holds of each metric, and of the composite, by itself: steps of the
    verdict's rule that end in `judged_metrics` and `judged_composites`.
#}
{% macro verdict_judgements(settings, level) -%}
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
)
{%- endmacro %}
