{#
    A row is a rule that rows break, and how many do. The rules stand with the
    columns, as `rules` in their meta: required, unique, values, minimum, maximum.
    One statement a model, however many rules it has; null breaks `required` alone.
#}
{% test column_rules(model) %}
    {% set rules = rules_of_columns() %}
    select
        rules.broken_rule,
        count(*) as row_count
    from {{ tested_rows(model) }}
    cross join lateral (
        values
        ('none', false)
        {% for rule in rules.of_rows %}
            , ($rule${{ rule.name }}$rule$, {{ rule.is_broken }})
        {% endfor %}
    ) as rules (broken_rule, is_broken)
    where rules.is_broken
    group by rules.broken_rule
    {% for column in rules.unique %}
        union all
        select
            '{{ column }} is unique' as broken_rule,
            count(*) as row_count
        from {{ tested_rows(model) }}
        where {{ column }} is not null
        group by {{ column }}
        having count(*) > 1
    {% endfor %}
{% endtest %}
