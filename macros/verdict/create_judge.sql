-- sqlfluff:exclude_rules:LT02
{#
    Creates judge(experiment, settings) beside the marts: the verdict's own rule
    over their rows, with other settings than the project's. What a policy asks
    for is so decided by the one rule there is.

    settings: a JSON object with any of alpha, kept_level, minimum_tasks,
    minimum_clusters, minimum_coverage, harm_level, gain_level, minimum_gain,
    peeking (boolean), inference (tasks_like_these or these_tasks), candidates
    (each or holm), parts (boolean: whether parts of a comparison are judged,
    too; true if not said) and readings: of scores that are to be read otherwise
    than recorded, as rows of judge_corrections have them.

    No database is named in it: a body of text is read when it is called, and a
    warehouse may be restored or copied under another name.
#}
{% macro create_judge() -%}
{%- set asked = asked_settings() -%}
{%- set columns = judged_columns() -%}
{%- set quarantined = quarantined_columns() -%}
create or replace function {{ this.schema }}.judge(
    experiment_id text, settings jsonb default '{}'
)
returns table (
    candidate_group text,
    candidate_version text,
    segment text,
    recommendation text,
    label text,
    recommendation_route text,
    headline text,
    recommendation_reasons jsonb,
    required_additional_tasks bigint,
    required_for text,
    required_note text
)
language sql stable
as $judge$
with

recorded_evidence as (
    select
        '' as segment, {{ (columns + quarantined) | join(', ') }}
    from {{ ref('experiment_metric_comparisons').include(database=false) }}
    where experiment_id = $1
    union all
    select
        segment_kind || ':' || segment as segment, {{ columns | join(', ') }},
        {% for name in quarantined -%}
            0 as {{ name }}{{ ', ' if not loop.last }}
        {%- endfor %}
    from {{ ref('experiment_segment_comparisons').include(database=false) }}
    where experiment_id = $1 and coalesce(($2 ->> 'parts')::boolean, true)
),

{{ other_readings(columns + quarantined) }},

{%- set composite_columns = [
    'experiment_id', 'candidate_group', 'candidate_version',
    'composite_improvement',
] | join(', ') %}
recorded_composites as (
    select
        '' as segment, {{ composite_columns }},
        p_composite_better as p_better,
        p_composite_worse as p_worse,
        p_composite_better_anytime as p_better_anytime,
        p_composite_worse_anytime as p_worse_anytime
    from {{ ref('experiment_summaries').include(database=false) }}
    where experiment_id = $1 and composite_improvement is not null
    union all
    select
        segment_kind || ':' || segment as segment, {{ composite_columns }},
        p_composite_better as p_better,
        p_composite_worse as p_worse,
        p_composite_better_anytime as p_better_anytime,
        p_composite_worse_anytime as p_worse_anytime
    from {{ this.include(database=false) }}
    where
        experiment_id = $1
        and composite_improvement is not null
        and coalesce(($2 ->> 'parts')::boolean, true)
),

-- what a score was read otherwise for is not in the composite as recorded
composites as (
    select recorded.*
    from recorded_composites as recorded
    where
        not exists (
            select
            from readings
            where
                recorded.segment = ''
                and recorded.candidate_group = readings.candidate_group
                and recorded.candidate_version = readings.candidate_version
        )
),

{{ verdict_rule(asked) }}

select
    candidate_group,
    candidate_version,
    segment,
    recommendation,
    label,
    recommendation_route,
    headline,
    recommendation_reasons,
    required_additional_tasks,
    required_for,
    required_note
from verdicts
where is_anytime = coalesce(($2 ->> 'peeking')::boolean, {{ var('peeking') }})
order by candidate_group, candidate_version, segment
$judge$
{%- endmacro %}


{# The rule's settings, with those that the argument $2 has in their place. #}
{% macro asked_settings() -%}
{%- set project = verdict_settings() -%}
{%- set asked = {} -%}
{%- for name in ['alpha', 'kept_level', 'minimum_coverage', 'minimum_gain'] -%}
    {%- do asked.update({
        name: "coalesce(($2 ->> '" ~ name ~ "')::float8, "
        ~ project[name] ~ ")"
    }) -%}
{%- endfor -%}
{%- for name in ['minimum_tasks', 'minimum_clusters'] -%}
    {%- do asked.update({
        name: "coalesce(($2 ->> '" ~ name ~ "')::integer, "
        ~ project[name] ~ ")"
    }) -%}
{%- endfor -%}
{%- for name, divisor in [('harm_level', 20), ('gain_level', 100)] -%}
    {%- do asked.update({
        name: "coalesce(($2 ->> '" ~ name ~ "')::float8, ($2 ->> 'alpha')"
        ~ "::float8 / " ~ divisor ~ ", " ~ project[name] ~ ")"
    }) -%}
{%- endfor -%}
{%- do asked.update({
    'is_these_tasks': "coalesce($2 ->> 'inference' = 'these_tasks', false)",
    'is_holm_candidates': "coalesce($2 ->> 'candidates' = 'holm', false)",
}) -%}
{%- do return(asked) -%}
{%- endmacro %}


{# What the rule reads of each metric. #}
{% macro judged_columns() -%}
{%- do return([
    'experiment_id', 'candidate_group', 'candidate_version', 'metric', 'kind',
    'role', 'role_note', 'direction_source', 'flags', 'n_pairs', 'n_tasks',
    'n_incomparable', 'n_candidates', 'effective_clusters', 'pair_coverage',
    'baseline_mean', 'candidate_mean', 'is_fraction', 'is_of_ratio_kind',
    'is_difference_instead', 'improvement', 'improvement_error',
    'improvement_low', 'improvement_high', 'improvement_sequence_low',
    'improvement_sequence_high', 'fixed_tasks_low', 'fixed_tasks_high',
    'improvement_margin', 'lower_improvement', 'lower_improvement_error',
    'improvement_pct', 'margin_pct', 'p_value', 'mean_difference', 'p_better',
    'p_worse', 'p_lost', 'p_better_anytime', 'p_worse_anytime',
    'p_lost_anytime', 'p_better_fixed_tasks', 'p_worse_fixed_tasks',
    'p_lost_fixed_tasks', 'either_p_worse', 'either_p_worse_anytime',
    'either_improvement_low', 'either_improvement_sequence_low',
    'either_p_worse_fixed_tasks', 'p_better_holm_candidates',
]) -%}
{%- endmacro %}


{# What it reads of a whole comparison alone: its parts keep none of these. #}
{% macro quarantined_columns() -%}
{%- do return([
    'n_quarantined', 'n_quarantined_worse', 'n_quarantined_better',
]) -%}
{%- endmacro %}
