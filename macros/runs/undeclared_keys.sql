{#
    The keys of which nobody knows the scale, by experiment: one value off 0 to 1
    without a scale says so. A query of experiment_id and evaluator_key.

    relation: runs with scores and score_scales. Where those are null, in records
        of before 0.2, the seed declares.
#}
{% macro undeclared_keys(relation) -%}
    select
        runs.experiment_id,
        scales.evaluator_key
    from {{ relation }} as runs
    cross join
        lateral
        jsonb_each(runs.score_scales) as scales (evaluator_key, ends)
    where runs.score_scales != '{}' and jsonb_typeof(scales.ends) = 'null'
    union distinct
    select
        runs.experiment_id,
        scores.evaluator_key
    from {{ relation }} as runs
    cross join
        lateral
        jsonb_each(runs.scores) as scores (evaluator_key, score)
    left join {{ ref('evaluator_metrics') }} as declared
        on scores.evaluator_key = declared.evaluator_key
    where
        runs.score_scales is null
        and jsonb_path_exists(runs.scores, '$.* ? (@ < 0 || @ > 1)')
        and declared.evaluator_key is null
        and case jsonb_typeof(scores.score)
            when 'number' then scores.score::numeric not between 0 and 1
        end
{%- endmacro %}
