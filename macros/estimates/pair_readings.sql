{#
    What a pair of values is to a comparison. Runs of an arm: those there are,
    or more where more were planned; none where the arm lacks the task.
#}

{# A value beyond 1e150 counts as 1e150 and one below 1e-150 as 0. #}
{% macro bounded_value(value) -%}
    case
        when abs({{ value }}) >= 1e-150
            then greatest(least({{ value }}, 1e150), -1e150)
        when {{ value }} is not null then 0
    end
{%- endmacro %}


{# ln(candidate / baseline) of latency, tokens and cost; 0 from 0 is 0. #}
{% macro pair_log_ratio(kind, baseline, candidate) -%}
    case
        when {{ kind }} not in ('latency', 'tokens', 'cost') then null
        when {{ baseline }} = 0 and {{ candidate }} = 0 then 0
        when {{ baseline }} > 0 and {{ candidate }} > 0
            then ln({{ candidate }} / {{ baseline }})
    end
{%- endmacro %}


{# The runs of an arm that ought to have a value. #}
{% macro expected_runs(arm) -%}
    greatest({{ arm }}_runs, {{ arm }}_repetitions, 1)
{%- endmacro %}


{# The runs of an arm that have one. #}
{% macro scored_runs(arm) -%}
    case
        when {{ arm }}_value is null then 0
        else coalesce({{ arm }}_repetitions, 1)
    end
{%- endmacro %}


{# Whether each run of an arm has one: the usual case, asked before dividing. #}
{% macro has_every_run(arm) -%}
    {{ arm }}_value is not null and {{ arm }}_repetitions >= {{ arm }}_runs
    and {{ arm }}_repetitions > 0
{%- endmacro %}


{# The share of an arm's runs without a value; 1 where it lacks the task. #}
{% macro missing_share(arm) -%}
    case
        when {{ has_every_run(arm) }} then 0
        else 1 - {{ scored_runs(arm) }}::float8 / {{ expected_runs(arm) }}
    end
{%- endmacro %}


{# The share of an arm's runs with a value, or that crashed; null without. #}
{% macro covered_share(arm) -%}
    case
        when {{ has_every_run(arm) }} then 1
        when {{ arm }}_runs > 0 or {{ arm }}_value is not null
            then least(
                1,
                ({{ scored_runs(arm) }} + {{ arm }}_explained_runs)::float8
                / {{ expected_runs(arm) }}
            )
    end
{%- endmacro %}


{# A task's score with each missing run at the worst end of the scale. #}
{% macro missing_as_worst(arm) -%}
    coalesce({{ arm }}_value, 0) * (1 - ({{ missing_share(arm) }}))
    + case direction when 'lower' then 1 else 0 end
    * ({{ missing_share(arm) }})
{%- endmacro %}


{# A square that neither leaves the range of float8 nor falls below it. #}
{% macro bounded_square(value) -%}
    case
        when abs({{ value }}) > 1e-150
            then least(abs({{ value }}), 1e150) * least(abs({{ value }}), 1e150)
        when {{ value }} is not null then 0
    end
{%- endmacro %}


{#
    The sample variance of an arm's runs of a task; of the second reading with
    the missing runs at the worst end of the scale (sums of squares around the
    mean of all of them).
#}
{% macro variance_of_runs(arm) -%}
    {%- set stddev = arm ~ '_stddev' -%}
    {%- set distance = '(coalesce(' ~ arm ~ "_value, 0) - case direction when "
        ~ "'lower' then 1 else 0 end)" -%}
    case
        when not counts_missing then {{ bounded_square(stddev) }}
        when {{ expected_runs(arm) }} < 2 then null
        else (
            greatest({{ scored_runs(arm) }} - 1, 0)
            * coalesce({{ bounded_square(stddev) }}, 0)
            + {{ expected_runs(arm) }}
            * (1 - ({{ missing_share(arm) }})) * ({{ missing_share(arm) }})
            * {{ bounded_square(distance) }}
        ) / ({{ expected_runs(arm) }} - 1)
    end
{%- endmacro %}
