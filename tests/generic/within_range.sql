{# A row is a value outside minimum to maximum; null is inside. #}
{% test within_range(model, column_name, minimum=none, maximum=none) %}
    {% set lowest = minimum if minimum is not none else "'-infinity'" %}
    {% set highest = maximum if maximum is not none else "'infinity'" %}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} not between {{ lowest }} and {{ highest }}
{% endtest %}
