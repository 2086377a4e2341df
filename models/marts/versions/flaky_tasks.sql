{#
    Whether what a task does from run to run is noise. All of its runs in order
    of version and time are one row of passes and failures: if nothing changed,
    each order of them is as likely as any other, and one run differs from the
    next at a rate of 2 c (n - c) / (n (n - 1)), c passes of n runs, which is
    2 p (1 - p) without bias. Far fewer flips are a change of level (Wald and
    Wolfowitz 1940, exact, as a mid-p value), adjusted for the tasks of an agent,
    group and metric that could show one at all (Benjamini and Hochberg 1995;
    Tarone 1990).

    A view: of single runs it reads those of results whose repetitions disagree,
    and it costs a build nothing.
#}
{{ config(materialized="view") }}
{%- set alpha = var('alpha') %}
{%- set task = 'agent_name, experiment_group, metric, task_id' %}
{%- set family = 'agent_name, experiment_group, metric' %}

with

evaluation_results as not materialized (
    select
        *,
        coalesce(agent_name, 'unknown') as agent
    from {{ ref('evaluation_results') }}
),

evaluation_scores as not materialized (
    select * from {{ ref('evaluation_scores') }}
),

evaluation_trials as not materialized (
    select * from {{ ref('evaluation_trials') }}
),

counted_values as not materialized (
    select * from {{ ref('int_counted_values') }}
),

seen_versions as (
    select
        agent as agent_name,
        experiment_group,
        extension_version,
        min(recorded_at) as first_seen_at
    from evaluation_results
    group by agent, experiment_group, extension_version
),

sort_keys as materialized (
    {{ version_sort_keys('seen_versions') }}
),

{{ anchored_versions() }},

ordered_versions as materialized (
    select
        *,
        row_number() over (
            partition by agent_name, experiment_group
            order by {{ version_order() }}
        ) as version_rank
    from anchored_versions
),

{{ task_outcomes() }},

{{ task_sequences() }},

ordered_results as (
    select
        outcomes.*,
        ordered_versions.version_rank,
        coalesce(sequences.flips, 0) as inner_flips,
        coalesce(sequences.first_passed, outcomes.passes > 0) as first_passed,
        coalesce(sequences.last_passed, outcomes.passes > 0) as last_passed
    from outcomes
    inner join ordered_versions
        on
            outcomes.agent_name = ordered_versions.agent_name
            and outcomes.experiment_group = ordered_versions.experiment_group
            and outcomes.extension_version = ordered_versions.extension_version
    left join sequences
        on
            outcomes.experiment_id = sequences.experiment_id
            and outcomes.result_id = sequences.result_id
            and outcomes.metric = sequences.metric
),

stepped_results as (
    select
        *,
        coalesce(
            first_passed != lag(last_passed) over (
                partition by {{ task }}
                order by version_rank, recorded_at, result_id
            ),
            false
        )::integer as outer_flips
    from ordered_results
),

version_counts as (
    select
        {{ task }},
        version_rank,
        sum(runs) as runs,
        sum(passes) as passes,
        sum(inner_flips + outer_flips) as flips,
        bool_and(is_binary) as is_binary,
        min(recorded_at) as first_recorded_at,
        max(recorded_at) as last_recorded_at
    from stepped_results
    group by {{ task }}, version_rank
),

counted as (
    select
        {{ task }},
        count(*) as versions,
        count(*) filter (where runs > 1) as repeated_versions,
        count(*) filter (where passes > 0 and passes < runs) as mixed_versions,
        sum(runs)::float8 as runs,
        sum(passes)::float8 as passes,
        sum(flips)::float8 as flips,
        2 * sum(passes * (runs - passes))::float8
        / nullif(sum(runs * (runs - 1)), 0) as flip_rate_in_version,
        min(first_recorded_at) as first_recorded_at,
        max(last_recorded_at) as last_recorded_at
    from version_counts
    group by {{ task }}
    having sum(runs) > 1 and bool_and(is_binary)
),

tested as (
    select
        *,
        {{ statistical_function('log_choose') }}(runs, passes)
        >= ln(2 / {{ alpha }}::float8) as has_enough_runs,
        (
            {{ statistical_function('flips_cdf') }}(flips, passes, runs)
            + {{ statistical_function('flips_cdf') }}(flips - 1, passes, runs)
        ) / 2 as p_fewer_flips
    from counted
),

two_sided as (
    select
        *,
        case
            when has_enough_runs
                then least(1, 2 * least(p_fewer_flips, 1 - p_fewer_flips))
        end as p_value
    from tested
),

stepped as (
    select
        *,
        {{ bh_step('p_value', family) }} as bh_step
    from two_sided
),

adjusted as (
    select
        *,
        {{ bh_p_value('bh_step', 'p_value', family) }} as p_value_bh
    from stepped
),

judged as (
    select
        *,
        case
            when passes in (0, runs) then 'steady'
            when not has_enough_runs then 'too_few_runs'
            when p_value_bh <= {{ alpha }} and p_fewer_flips < 0.5
                then 'changed'
            when p_value_bh <= {{ alpha }} then 'alternating'
            else 'noise'
        end as state
    from adjusted
),

flaky_tasks as (
    select
        agent_name,
        experiment_group,
        metric,
        task_id,
        state,
        versions::integer as versions,
        repeated_versions::integer as repeated_versions,
        mixed_versions::integer as mixed_versions,
        runs::bigint as runs,
        passes::bigint as passes,
        flips::bigint as flips,
        passes / runs as pass_rate,
        {{ statistical_function('wilson_lower') }}(
            passes, runs, {{ alpha }}
        ) as pass_rate_low,
        {{ statistical_function('wilson_upper') }}(
            passes, runs, {{ alpha }}
        ) as pass_rate_high,
        flips / (runs - 1) as flip_rate,
        2 * passes * (runs - passes) / (runs * (runs - 1))
            as expected_flip_rate,
        flip_rate_in_version,
        case when state not in ('steady', 'too_few_runs') then p_fewer_flips end
            as p_fewer_flips,
        p_value,
        p_value_bh,
        case
            when mixed_versions > 0 then true
            when repeated_versions = 0 and state in ('noise', 'alternating')
                then true
            when state != 'too_few_runs' then false
        end as is_flaky,
        first_recorded_at,
        last_recorded_at
    from judged
)

select * from flaky_tasks
