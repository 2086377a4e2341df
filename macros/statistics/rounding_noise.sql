{#
    The share of the values up to which a difference of them, or their scatter,
    is what binary rounding left: far more than it leaves, far less than anybody
    measures.
#}
{% macro rounding_noise() -%}1e-12{%- endmacro %}


{# Candidate less baseline; what rounding leaves of equal values is 0. #}
{% macro pair_difference(baseline, candidate) -%}
    case
        when
            abs({{ candidate }} - {{ baseline }})
            <= {{ rounding_noise() }}
            * greatest(abs({{ baseline }}), abs({{ candidate }}))
            then 0
        else {{ candidate }} - {{ baseline }}
    end
{%- endmacro %}
