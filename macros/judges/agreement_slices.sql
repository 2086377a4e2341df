-- sqlfluff:exclude_rules:LT02
{#
    First step of judge_agreement, from `readings` to `centred`: the labelled
    runs of each slice, with its means. A run is in a slice of each kind.
#}
{% macro agreement_slices() -%}
sliced as (
    select
        readings.*,
        slices.slice_kind,
        slices.slice
    from readings
    cross join
        lateral (
            values
            ('all', ''),
            ('arm', readings.group_role),
            ('group', readings.experiment_group),
            ('experiment', readings.experiment_id),
            ('agent', readings.agent_name),
            (
                'category',
                case jsonb_typeof(readings.category)
                    when 'string' then readings.category #>> '{}'
                end
            ),
            (
                'month',
                to_char(readings.recorded_at at time zone 'UTC', 'YYYY-MM')
            )
        ) as slices (slice_kind, slice)
    where slices.slice is not null
),

-- one integer is hashed and compared faster than five texts
numbered as materialized (
    select
        *,
        dense_rank() over (
            order by
                evaluator_key collate "C",
                judge_version collate "C",
                metric collate "C",
                slice_kind collate "C",
                slice collate "C"
        ) as slice_number,
        json_build_array(experiment_id, cluster_id)::text as cluster,
        judge_value::float8 as judge,
        human_value::float8 as human,
        (judge_value - human_value)::float8 as error
    from sliced
),

means as materialized (
    select
        slice_number,
        evaluator_key,
        judge_version,
        metric,
        slice_kind,
        slice,
        count(*) as n_labels,
        count(distinct cluster) as n_tasks,
        max(annotators) as annotators,
        count(*) filter (where annotators > 1) as n_labels_of_several,
        count(distinct judge_value) as n_judge_values,
        count(distinct human_value) as n_human_values,
        count(*) filter (where judge_value = human_value) as n_agreed,
        count(*) filter (where group_role = 'treatment') as n_candidate_labels,
        count(*) filter (where group_role = 'control') as n_baseline_labels,
        avg(judge_value)::float8 as judge_mean,
        avg(human_value)::float8 as human_mean,
        avg(judge_value - human_value)::float8 as bias,
        avg(judge_value - human_value) filter (where group_role = 'treatment')
        ::float8 as candidate_bias,
        avg(judge_value - human_value) filter (where group_role = 'control')
        ::float8 as baseline_bias,
        avg(abs(judge_value - human_value))::float8 as mean_absolute_error,
        avg((judge_value - human_value) ^ 2)::float8 as mean_squared_error,
        -- populations', exact: a constant has none
        (avg(judge_value ^ 2) - avg(judge_value) ^ 2)::float8
            as judge_variance,
        (avg(human_value ^ 2) - avg(human_value) ^ 2)::float8
            as human_variance,
        bool_and(judge_value in (0, 1) and human_value in (0, 1)) as is_binary,
        count(output_length) as n_lengths,
        corr(error, output_length) as length_correlation,
        min(recorded_at) as first_recorded_at,
        max(recorded_at) as last_recorded_at
    from numbered
    group by
        slice_number, evaluator_key, judge_version, metric, slice_kind, slice
)
{%- endmacro %}
