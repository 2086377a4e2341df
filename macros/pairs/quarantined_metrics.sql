-- sqlfluff:exclude_rules:LT02
{#
    Step of int_metric_evidence, to `quarantined_metrics`: the pairs of each
    metric that the verdict left out because their task is in quarantine, and
    how many of them got worse or better by more than a tie.
    `quarantined_critical` counts those of a comparison whose metadata says
    `critical`, whatever they have values of.
#}
{% macro quarantined_metrics() -%}
metric_pairs as (
    {{ changed_rows(ref('int_metric_pairs')) }}
),

metric_ties as (
    select * from {{ ref('int_metric_ties') }}
),

quarantined_pairs as (
    select
        metric_pairs.*,
        case metric_pairs.direction when 'lower' then -1 when 'higher' then 1 end
        * {{ pair_difference(
            bounded_value('metric_pairs.baseline_value'),
            bounded_value('metric_pairs.candidate_value')
        ) }} as gain,
        coalesce(metric_ties.tie_margin, 0)::float8 as tie_width
    from metric_pairs
    left join metric_ties
        on metric_pairs.metric = metric_ties.metric
    where metric_pairs.is_quarantined
),

quarantined_metrics as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        metric,
        count(*) filter (
            where baseline_value is not null and candidate_value is not null
        ) as n_quarantined,
        count(*) filter (
            where
            is_comparable and gain < -tie_width - {{ rounding_noise() }}
        ) as n_quarantined_worse,
        count(*) filter (
            where
            is_comparable and gain > tie_width + {{ rounding_noise() }}
        ) as n_quarantined_better
    from quarantined_pairs
    group by experiment_id, candidate_group, candidate_version, metric
),

quarantined_critical as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        count(distinct task_id) as n_tasks
    from quarantined_pairs
    where is_critical
    group by experiment_id, candidate_group, candidate_version
)
{%- endmacro %}
