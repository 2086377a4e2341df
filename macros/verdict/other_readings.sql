-- sqlfluff:exclude_rules:LT02,ST06
{#
    Steps of judge(), from `recorded_evidence` to `evidence`: scores that the
    caller reads otherwise, in the setting `readings`, corrected for their judge
    shifted by a bias of it, or bridged over two versions of it; then pairs that
    those versions scored are pairs too, and the caller says how many. Of all
    tasks only, with the t test; bounds for every look, and for these very
    tasks, there are none of.

    columns: those of the evidence.
#}
{% macro other_readings(columns) -%}
{%- set error = 'readings.improvement_error' -%}
{%- set gain = 'readings.improvement' -%}
{%- set low_gain = '(readings.improvement + readings.missing_gap_low)' -%}
{%- set high_gain = '(readings.improvement + readings.missing_gap_high)' -%}
{%- set others = {
    'n_pairs': 'coalesce(readings.n_pairs, recorded.n_pairs)',
    'n_incomparable':
        'coalesce(readings.n_incomparable, recorded.n_incomparable)',
    'pair_coverage':
        'coalesce(readings.pair_coverage, recorded.pair_coverage)',
    'effective_clusters':
        'coalesce(readings.effective_clusters, recorded.effective_clusters)',
    'improvement': gain,
    'improvement_error': error,
    'improvement_low': gain ~ ' - readings.critical_value * ' ~ error,
    'improvement_high': gain ~ ' + readings.critical_value * ' ~ error,
    'lower_improvement': low_gain,
    'lower_improvement_error': error,
    'improvement_pct': '100 * ' ~ gain,
    'either_improvement_low':
        low_gain ~ ' - readings.critical_value * ' ~ error,
    'p_better': reading_p_value('sf', low_gain),
    'p_worse': reading_p_value('cdf', high_gain),
    'p_lost': reading_p_value(
        'sf', low_gain ~ ' + recorded.improvement_margin'
    ),
    'either_p_worse': reading_p_value('cdf', low_gain),
    'p_value': '2 * least(' ~ reading_p_value('sf', gain) ~ ', '
        ~ reading_p_value('cdf', gain) ~ ')',
    'p_better_holm_candidates': 'least(1, recorded.n_candidates * '
        ~ reading_p_value('sf', low_gain) ~ ')',
} -%}
{%- set without = [
    'improvement_sequence_low', 'improvement_sequence_high',
    'fixed_tasks_low', 'fixed_tasks_high', 'p_better_anytime',
    'p_worse_anytime', 'p_lost_anytime', 'p_better_fixed_tasks',
    'p_worse_fixed_tasks', 'p_lost_fixed_tasks', 'either_p_worse_anytime',
    'either_improvement_sequence_low', 'either_p_worse_fixed_tasks',
] -%}
asked_readings as (
    select *
    from
        jsonb_to_recordset(coalesce($2 -> 'readings', '[]')) as asked (
            candidate_group text,
            candidate_version text,
            metric text,
            improvement float8,
            improvement_error float8,
            degrees_of_freedom float8,
            missing_gap_low float8,
            missing_gap_high float8,
            n_pairs integer,
            n_incomparable integer,
            effective_clusters float8,
            pair_coverage float8
        )
),

readings as (
    select
        asked_readings.*,
        {{ statistical_function('student_t_ppf') }}(
            1 - coalesce(($2 ->> 'alpha')::float8, {{ var('alpha') }}) / 2,
            asked_readings.degrees_of_freedom
        ) as critical_value
    from asked_readings
    where asked_readings.improvement_error > 0
),

evidence as (
    select
        recorded.segment,
        {% for column in columns -%}
            {%- if column in others -%}
                case
                    when readings.metric is null then recorded.{{ column }}
                    else {{ others[column] }}
                end as {{ column }}
            {%- elif column in without -%}
                case
                    when readings.metric is null then recorded.{{ column }}
                end as {{ column }}
            {%- else -%}
                recorded.{{ column }}
            {%- endif -%}
            {{ ',' if not loop.last }}
        {% endfor %}
    from recorded_evidence as recorded
    left join readings
        on
            recorded.segment = ''
            and recorded.candidate_group = readings.candidate_group
            and recorded.candidate_version = readings.candidate_version
            and recorded.metric = readings.metric
)
{%- endmacro %}


{# One-sided p-value of a gain, by the tail that is asked for. #}
{% macro reading_p_value(tail, gain) -%}
    {{ statistical_function('student_t_' ~ tail) }}(
        {{ statistical_function('safe_divide') }}(
            {{ gain }}, readings.improvement_error
        ),
        readings.degrees_of_freedom
    )
{%- endmacro %}
