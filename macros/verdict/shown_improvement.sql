{#
    An improvement as a person reads it: percentage points of a score, per cent
    saved of latency, tokens and cost; null in a unit of the metric's own.
#}
{% macro shown_improvement(improvement) -%}
    case
        -- least and greatest would pass over it
        when ({{ improvement }}) is null then null
        when is_fraction or is_difference_instead
            then 100 * least(greatest({{ improvement }}, -1e300), 1e300)
        when is_of_ratio_kind
            then -100 * {{ statistical_function('expm1') }}(
                least(-({{ improvement }}), 700)
            )
    end
{%- endmacro %}
