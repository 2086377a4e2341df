-- sqlfluff:exclude_rules:LT02
{#
    Creates judge_readings(experiment, settings, readings) beside the marts: the
    verdict's own rule on what an agent's comparison would have shown, many
    times over: a gate tried on results drawn anew (`plan --planted`). What the
    readings do not say, roles, margins and coverage, is as recorded.

    settings: as judge() takes them, and candidate_group, candidate_version and
    agent, whose comparison it is.

    readings: rows of a trial (trial, level), a metric and a reading of it
    (counts_missing): n_pairs, effective_clusters, is_clustered, is_binary,
    improvement, improvement_error, n_better, n_worse and scale. Without a
    level: of every level of the trial. With the metric '': the composite.
#}
{% macro create_judge_readings() -%}
{%- set asked = asked_settings() -%}
{%- do asked.update({
    'is_anytime': "coalesce(($2 ->> 'peeking')::boolean, "
    ~ var('peeking') ~ ")"
}) -%}
{%- set columns = judged_columns() -%}
{%- set both = ['p_better', 'p_worse', 'p_lost', 'p_better_anytime',
    'p_worse_anytime', 'p_lost_anytime'] -%}
{%- set either = ['p_worse', 'p_worse_anytime'] -%}
create or replace function {{ this.schema }}.judge_readings(
    experiment_id text, settings jsonb, readings jsonb
)
returns table (
    trial integer,
    level integer,
    recommendation text,
    label text,
    recommendation_route text
)
language sql stable
as $judge$
with

recorded as materialized (
    select {{ columns | join(', ') }}
    from {{ ref('experiment_segment_comparisons').include(database=false) }}
    where
        experiment_id = $1
        and candidate_group = $2 ->> 'candidate_group'
        and candidate_version = $2 ->> 'candidate_version'
        and segment_kind = 'agent'
        and segment = $2 ->> 'agent'
),

readings as materialized (
    select *
    from
        jsonb_to_recordset($3) as asked (
            trial integer,
            level integer,
            metric text,
            counts_missing boolean,
            n_pairs bigint,
            effective_clusters float8,
            is_clustered boolean,
            is_binary boolean,
            improvement float8,
            improvement_error float8,
            n_better bigint,
            n_worse bigint,
            scale float8
        )
),

-- the names that the one-sided tests go by
named as materialized (
    select
        readings.trial,
        readings.level,
        readings.metric,
        readings.counts_missing,
        readings.n_pairs,
        readings.effective_clusters,
        readings.n_better,
        readings.n_worse,
        readings.scale,
        readings.improvement,
        readings.effective_clusters as improvement_clusters,
        readings.effective_clusters - 1 as improvement_degrees_of_freedom,
        recorded.improvement_margin,
        coalesce(recorded.is_fraction, false) as is_fraction,
        coalesce(recorded.is_of_ratio_kind, true) as is_of_ratio_kind,
        readings.is_binary and not readings.is_clustered as is_counted,
        case
            when
                readings.improvement_error * sqrt(readings.n_pairs)
                > {{ rounding_noise() }} * readings.scale
                then readings.improvement_error
            when readings.improvement_error is not null then 0
        end as improvement_error
    from readings
    left join recorded
        on readings.metric = recorded.metric
    where recorded.metric is not null or readings.metric = ''
),

methods as (
    select
        *,
        case
            when n_pairs < 2 then 'none'
            when is_counted then 'mcnemar_tango'
            when improvement_error is null then 'none'
            when improvement_error = 0 then 'sign_test'
            else 't'
        end as method
    from named
),

sides as materialized (
    select
        *,
        {{ p_value_of_own_side() }} as p_of_own_side
    from methods
),

tested as materialized (
    select
        *,
        {{ p_value_of_gain('improvement') }} as p_better,
        {{ p_value_of_gain('-improvement') }} as p_worse,
        {{
            p_value_of_loss_beyond_margin('improvement', 'n_better', 'n_worse')
        }} as p_lost,
        {{ anytime_p_value_of_gain('improvement') }} as p_better_anytime,
        {{ anytime_p_value_of_gain('-improvement') }} as p_worse_anytime,
        {{ anytime_p_value_of_loss_beyond_margin() }} as p_lost_anytime
    from sides
),

-- the two readings of a score brought together: both have to satisfy
brought_together as (
    select
        trial,
        level,
        metric,
        max(n_pairs) filter (where not counts_missing) as n_pairs,
        max(effective_clusters) filter (where not counts_missing)
            as effective_clusters,
        max(improvement) filter (where not counts_missing) as improvement,
        max(improvement_error) filter (where not counts_missing)
            as improvement_error,
        min(improvement) as lower_improvement,
        {% for name in both -%}
            case
                when bool_and({{ name }} is not null) then max({{ name }})
            end as {{ name }},
        {% endfor -%}
        {% for name in either -%}
            min({{ name }}) as either_{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from tested
    group by trial, level, metric
),

levels as (
    select
        min(level) as lowest,
        max(level) as highest
    from readings
),

-- what no loss was planted on is the same at every level
at_levels as materialized (
    select
        brought_together.*,
        places.place as its_level,
        brought_together.trial || ':' || places.place as segment
    from brought_together
    cross join levels
    cross join
        lateral
        generate_series(
            coalesce(brought_together.level, levels.lowest),
            coalesce(brought_together.level, levels.highest)
        ) as places (place)
),

evidence as (
    select
        at_levels.segment,
        {% for column in columns -%}
            {%- if column == 'p_better_holm_candidates' -%}
                least(1, recorded.n_candidates * at_levels.p_better)
                    as {{ column }}
            {%- elif column in both + [
                'n_pairs', 'effective_clusters', 'improvement',
                'improvement_error', 'lower_improvement', 'either_p_worse',
                'either_p_worse_anytime',
            ] -%}
                at_levels.{{ column }}
            {%- elif '_low' in column or '_high' in column
                or 'fixed_tasks' in column -%}
                null::float8 as {{ column }}
            {%- else -%}
                recorded.{{ column }}
            {%- endif -%}
            {{- ', ' }}
        {% endfor -%}
        {% for name in quarantined_columns() -%}
            0 as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from at_levels
    inner join recorded
        on at_levels.metric = recorded.metric
),

composites as (
    select
        $1 as experiment_id,
        $2 ->> 'candidate_group' as candidate_group,
        $2 ->> 'candidate_version' as candidate_version,
        segment,
        improvement as composite_improvement,
        p_better,
        p_worse,
        p_better_anytime,
        p_worse_anytime
    from at_levels
    where metric = ''
),

{{ verdict_rule(asked) }}

select
    split_part(segment, ':', 1)::integer as trial,
    split_part(segment, ':', 2)::integer as level,
    recommendation,
    label,
    recommendation_route
from recommended
$judge$
{%- endmacro %}
