-- sqlfluff:exclude_rules:LT02
{#
    The words of a verdict. Numbers are those of the marts, rounded; every page
    shows these sentences and has none of its own.
#}

{# A number for a sentence; to_char would cut large ones, numeric does not. #}
{% macro number_in_words(value, digits) -%}
    trim_scale(round(({{ value }})::numeric, {{ digits }}))::text
{%- endmacro %}


{# '= 0.012' or '< 0.0001'. #}
{% macro p_in_words(value) -%}
    case
        when ({{ value }}) is null then 'unknown'
        when ({{ value }}) < 0.0001 then '< 0.0001'
        else '= ' || {{ number_in_words(value, 4) }}
    end
{%- endmacro %}


{# A metric as people call it. #}
{% macro metric_name(metric) -%}
    case {{ metric }}
        when 'latency_ms' then 'latency'
        when 'tokens_used' then 'tokens'
        when 'cost_usd' then 'cost'
        when 'pass_hat_k' then 'pass^{{ var("pass_k") }}'
        when 'pass_at_k' then 'pass@{{ var("pass_k") }}'
        else {{ metric }}
    end
{%- endmacro %}


{# '+14 points', '-93 %': an improvement, + is better. #}
{% macro size_in_words(improvement) -%}
    case
        when ({{ improvement }}) is null then null
        else
            case when ({{ improvement }}) >= 0 then '+' else '' end
            || case
                when is_fraction
                    then
                        {{ number_in_words(
                            '100 * (' ~ improvement ~ ')', 1
                        ) }} || ' points'
                when is_of_ratio_kind or is_difference_instead
                    then
                        {{ number_in_words(
                            shown_improvement(improvement), 1
                        ) }} || ' %'
                else trim_scale(({{ improvement }})::numeric(60, 4))::text
            end
    end
{%- endmacro %}


{#
    'more accurate (+14 points)', '93 % slower', 'with 97 % more tokens', 'no
    different in cost'. Of latency, tokens and cost the change of the thing
    itself, not what is saved.
#}
{% macro change_in_words(improvement, note="''") -%}
    case
        when ({{ improvement }}) is null then null
        when abs({{ improvement }}) <= {{ rounding_noise() }}
            then
                'no different in ' || {{ metric_name('metric') }}
                || case
                    when {{ note }} = '' then ''
                    else ' (' || ltrim({{ note }}, ', ') || ')'
                end
        when is_of_ratio_kind
            then
                case kind when 'tokens' then 'with ' else '' end
                || {{ number_in_words(
                    'abs(' ~ shown_improvement(improvement) ~ ')', 1
                ) }}
                || ' % '
                || case
                    when kind = 'latency' and ({{ improvement }}) >= 0
                        then 'faster'
                    when kind = 'latency' then 'slower'
                    when kind = 'cost' and ({{ improvement }}) >= 0
                        then 'cheaper'
                    when kind = 'cost' then 'more expensive'
                    when ({{ improvement }}) >= 0 then 'fewer tokens'
                    else 'more tokens'
                end
                || case
                    when {{ note }} = '' then ''
                    else ' (' || ltrim({{ note }}, ', ') || ')'
                end
        else
            case when ({{ improvement }}) >= 0
                then case metric
                    when 'accuracy' then 'more accurate'
                    when 'completeness' then 'more complete'
                    when 'efficiency' then 'more efficient'
                    else 'better in ' || {{ metric_name('metric') }}
                end
                else case metric
                    when 'accuracy' then 'less accurate'
                    when 'completeness' then 'less complete'
                    when 'efficiency' then 'less efficient'
                    else 'worse in ' || {{ metric_name('metric') }}
                end
            end
            || ' (' || {{ size_in_words(improvement) }} || {{ note }} || ')'
    end
{%- endmacro %}


{# 'a', 'a and b', 'a, b and c'. #}
{% macro listed(words) -%}
    case
        when cardinality({{ words }}) > 1
            then
                array_to_string(
                    ({{ words }})[1:cardinality({{ words }}) - 1], ', '
                )
                || ' and '
                || ({{ words }})[cardinality({{ words }})]
        else ({{ words }})[1]
    end
{%- endmacro %}


{# The text with its first letter large. #}
{% macro capitalised(words) -%}
    upper(left({{ words }}, 1)) || substr({{ words }}, 2)
{%- endmacro %}
