{#
    Whether nobody declared on which scale a run's score is. A record of before
    0.2 (null scales) is on the scale of the seed.

    score_scales: of the run.
    evaluator_key: of the score.
    declared_key: the same, from the seed; null where the seed lacks it.
#}
{% macro has_no_scale(score_scales, evaluator_key, declared_key) -%}
    (
        coalesce(jsonb_typeof({{ score_scales }} -> {{ evaluator_key }}), 'null')
        = 'null'
        and ({{ score_scales }} is not null or {{ declared_key }} is null)
    )
{%- endmacro %}
