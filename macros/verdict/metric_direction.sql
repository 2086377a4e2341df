{#
    Which way is better: what the seed says; lower for a record's latency,
    tokens and cost; what the service says that the scores came from; higher for
    a score that nobody declared, unless its name has one of the field's words
    for what is bad: then, as for a measurement, it is unknown until somebody
    declares it.
#}
{% macro metric_direction(
    metric, kind, declared_direction, said_direction
) -%}
    case
        when {{ declared_direction }} is not null then {{ declared_direction }}
        when {{ kind }} in ('success', 'reliability') then 'higher'
        when {{ kind }} in ('latency', 'tokens', 'cost') then 'lower'
        when {{ said_direction }} is not null then {{ said_direction }}
        when {{ kind }} = 'measurement' then 'unknown'
        when {{ is_named_as_bad(metric) }} then 'unknown'
        else 'higher'
    end
{%- endmacro %}


{#
    Whether a name says that less of it may be better. A word counts at its
    beginning: hallucination_rate, unsafe-answers, avgErrorCount.
#}
{% macro is_named_as_bad(metric) -%}
    lower(
        regexp_replace({{ metric }}, '([a-z0-9])([A-Z])', '\1_\2', 'g')
    ) ~ (
        '(^|[^a-z])('
        || 'abus|attack|bias|cost|crash|defect|delay|deviat|distance|'
        || 'duration|elapsed|error|exception|fabricat|fail|false_(pos|neg)|'
        || 'fault|hallucinat|harm|hate|incorrect|injection|invalid|'
        || 'jailbreak|latenc|leak|loss|miss(es|ed|ing)|mistake|offens|'
        || 'penalt|perplex|profan|racis|redundan|refus|regress|regret|'
        || 'repetit|retries|retry|risk|second|sexis|slow|spend|stereotyp|'
        || 'time|toxic|unfaithful|ungrounded|unsafe|untruthful|violat|'
        || 'violen|vulnerab|warning|wrong'
        || '|(bugs?|cer|fnr|fpr|mae|ms|mse|nll|rmse|secs?|wer)([^a-z]|$)'
        || ')'
    )
{%- endmacro %}
