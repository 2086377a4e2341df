{#
    Which way of a metric is better as the service says that its scores came
    from: a query of experiment_id, metric, load_id and direction.

    experiments: array of experiment_id, so that the key of raw is used; none
        for all.
#}
{% macro said_directions(experiments=none) -%}
    select
        experiment_id,
        metric,
        load_id,
        direction
    from {{ ref('int_score_configs') }}
    where
        speaks_for_metric
        and {{
            'experiment_id = any(' ~ experiments ~ ')' if experiments
            else 'true'
        }}
{%- endmacro %}


{# The same of one metric of one experiment, as an expression. #}
{% macro said_direction(experiment_id, metric) -%}
    (
        select configs.direction
        from {{ ref('int_score_configs') }} as configs
        where
            configs.speaks_for_metric
            and configs.experiment_id = {{ experiment_id }}
            and configs.metric = {{ metric }}
    )
{%- endmacro %}
