{#
    The order in which metrics are to decide, of rows with experiment_id,
    is_score and the position of the seed metrics: the chosen one; then scores,
    the declared ones as declared, then those of which it is known which way is
    better, then by name; a score of unknown direction before none, since it
    asks for its declaration; whether runs ended well last.
#}
{% macro deciding_metric_order(relation) -%}
    ({{ relation }}.metric = '{{ var("primary_metric") }}') desc,
    {{ relation }}.is_score desc,
    metrics.position asc nulls last,
    case
        when {{ is_named_as_bad(relation ~ '.metric') }}
            then
                {{
                    said_direction(
                        relation ~ '.experiment_id', relation ~ '.metric'
                    )
                }} is null
        else false
    end asc,
    {{ relation }}.metric collate "C" asc
{%- endmacro %}
