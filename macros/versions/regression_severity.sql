{# How bad a worsening is, by its relative change in per cent (negative). #}
{% macro regression_severity(change_pct) -%}
    case
        when {{ change_pct }} < -{{ var('regression_critical_pct') }}
            then 'critical'
        when {{ change_pct }} < -{{ var('regression_high_pct') }} then 'high'
        when {{ change_pct }} < -{{ var('regression_medium_pct') }}
            then 'medium'
        when {{ change_pct }} < 0 then 'low'
    end
{%- endmacro %}
