{#
    p-values adjusted for the number of tests in their family: Holm's (1979, the
    chance of any false finding) and Benjamini and Hochberg's (1995, the share
    of false findings). Each is two expressions, the step of every p-value by
    itself and, over the steps, the adjusted p-value, since windows do not nest:

        stepped as (
            select *, {{ holm_step('p_value', family) }} as holm_step
            from tests
        ),

        adjusted as (
            select
                *,
                {{ holm_p_value('holm_step', 'p_value', family) }}
                    as p_value_holm
            from stepped
        )

    A null p-value is in no family. The family is a list of columns.
#}
{% macro holm_step(p_value, family) -%}
    {{ p_value }} * (
        1
        + count({{ p_value }}) over (partition by {{ family }})
        - rank() over (partition by {{ family }} order by {{ p_value }})
    )
{%- endmacro %}

{% macro holm_p_value(step, p_value, family) -%}
    case
        when {{ p_value }} is not null
            then
                least(
                    1,
                    max({{ step }}) over (
                        partition by {{ family }} order by {{ p_value }}
                    )
                )
    end
{%- endmacro %}

{# Tests by the number of tests whose p-value is no greater. #}
{% macro bh_step(p_value, family) -%}
    {{ p_value }} * (
        count({{ p_value }}) over (partition by {{ family }})
        / nullif(
            count({{ p_value }}) over (
                partition by {{ family }} order by {{ p_value }}
            ),
            0
        )::float8
    )
{%- endmacro %}

{% macro bh_p_value(step, p_value, family) -%}
    case
        when {{ p_value }} is not null
            then
                least(
                    1,
                    min({{ step }}) over (
                        partition by {{ family }} order by {{ p_value }} desc
                    )
                )
    end
{%- endmacro %}
