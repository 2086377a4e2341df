{#
    The low (0) or high (1) end of the scale that a score of a run is on: as the
    record says, else 0 and 1; in records of before 0.2 (null scales) the seed's.
    Of the seed's row evaluator_metrics, as run_values joins it.
#}
{% macro scale_end(runs, scores, place) -%}
    coalesce(
        ({{ runs }}.score_scales -> {{ scores }}.evaluator_key ->> {{ place }})
        ::numeric,
        case
            when {{ runs }}.score_scales is null
                then evaluator_metrics.scale_{{ 'max' if place else 'min' }}
        end,
        {{ place }}
    )
{%- endmacro %}
