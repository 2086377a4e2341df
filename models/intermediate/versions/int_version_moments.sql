{#
    What the tests of int_version_comparisons need: every version against the
    one before it and against the frozen reference of its segment, task by task.
    Only comparisons whose version, baseline or settings changed are computed
    again: the fingerprint names all three.

    Arithmetic is numeric up to the last step, so that the same values give the
    same digits whatever order they came in.

    Steps have no statistics: the planner takes them for one row and would loop
    over it.
#}
{%- set key = [
    "agent_name",
    "experiment_group",
    "extension_version",
    "model_version",
    "metric",
    "comparison",
] %}
{{
    config(
        materialized="incremental",
        unique_key=key,
        indexes=[{"columns": key, "unique": true}],
        post_hook="{{
            delete_gone_versions(
                ref('int_version_pairs'), ['metric', 'comparison']
            )
        }}",
    )
}}

{% set min_shared_tasks = var('regression_min_shared_tasks') %}

with

version_pairs as (
    select * from {{ ref('int_version_pairs') }}
),

series as (
    select * from {{ ref('int_version_series') }}
),

rollups as (
    select * from {{ ref('int_daily_rollups') }}
),

changed_pairs as (
    select
        version_pairs.*,
        row_number() over () as comparison_number,
        dense_rank() over (
            order by
                version_pairs.agent_name,
                version_pairs.experiment_group,
                version_pairs.model_version,
                version_pairs.metric,
                version_pairs.baseline_from,
                version_pairs.baseline_to
        ) as baseline_number
    from version_pairs
    {% if is_incremental() %}
        left join {{ this }} as built
            on
                {{
                    is_same_version(
                        'version_pairs',
                        'built',
                        ['metric', 'comparison', 'fingerprint']
                    )
                }}
        where built.agent_name is null
    {% endif %}
),

baselines as (
    select distinct
        baseline_number,
        agent_name,
        experiment_group,
        model_version,
        metric,
        baseline_from,
        baseline_to
    from changed_pairs
),

baseline_members as (
    select
        baselines.baseline_number,
        baselines.agent_name,
        baselines.experiment_group,
        series.extension_version,
        baselines.model_version,
        baselines.metric
    from baselines
    inner join series
        on
            {{ is_same_series('baselines', 'series') }}
            and series.series_position
            between baselines.baseline_from and baselines.baseline_to
),

all_members as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version
    from changed_pairs
    union distinct
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version
    from baseline_members
),

numbered_members as (
    select
        *,
        row_number() over () as version_number
    from all_members
),

{{ version_tasks('numbered_members') }},

-- joined apart: by metric alone, each version would meet every other
numbered_pairs as materialized (
    select
        changed_pairs.comparison_number,
        changed_pairs.baseline_number,
        changed_pairs.metric,
        numbered_members.version_number
    from changed_pairs
    inner join numbered_members
        on {{ is_same_version('changed_pairs', 'numbered_members') }}
),

numbered_baselines as materialized (
    select
        baseline_members.baseline_number,
        baseline_members.metric,
        numbered_members.version_number
    from baseline_members
    inner join numbered_members
        on {{ is_same_version('baseline_members', 'numbered_members') }}
),

candidate_tasks as (
    select
        numbered_pairs.comparison_number,
        numbered_pairs.baseline_number,
        task_means.task_number,
        task_means.mean_value
    from numbered_pairs
    inner join task_means
        on
            numbered_pairs.version_number = task_means.version_number
            and numbered_pairs.metric = task_means.metric
),

candidate_moments as (
    select
        comparison_number,
        count(*) as task_count,
        avg(mean_value) as mean_value,
        var_samp(mean_value) as variance
    from candidate_tasks
    group by comparison_number
),

baseline_tasks as (
    select
        numbered_baselines.baseline_number,
        task_means.task_number,
        avg(task_means.mean_value) as mean_value,
        var_samp(task_means.mean_value) as variance
    from numbered_baselines
    inner join task_means
        on
            numbered_baselines.version_number = task_means.version_number
            and numbered_baselines.metric = task_means.metric
    group by numbered_baselines.baseline_number, task_means.task_number
),

baseline_moments as (
    select
        baseline_number,
        count(*) as task_count,
        avg(mean_value) as mean_value,
        var_samp(mean_value) as variance
    from baseline_tasks
    group by baseline_number
),

task_pairs as (
    select
        candidate_tasks.comparison_number,
        baseline_tasks.mean_value as baseline_value,
        baseline_tasks.variance as baseline_variance,
        candidate_tasks.mean_value as candidate_value,
        {{
            pair_difference(
                'baseline_tasks.mean_value', 'candidate_tasks.mean_value'
            )
        }} as difference
    from candidate_tasks
    inner join baseline_tasks
        on
            candidate_tasks.baseline_number = baseline_tasks.baseline_number
            and candidate_tasks.task_number = baseline_tasks.task_number
),

pair_moments as (
    select
        comparison_number,
        count(*) as shared_task_count,
        count(*) filter (where difference > 0) as higher_count,
        count(*) filter (where difference < 0) as lower_count,
        avg(baseline_value) as baseline_mean,
        avg(candidate_value) as candidate_mean,
        avg(difference) as mean_difference,
        stddev_samp(difference) as stddev_difference,
        max(abs(difference)) as max_difference,
        avg(baseline_variance) as baseline_noise_variance
    from task_pairs
    group by comparison_number
),

moments as (
    select
        changed_pairs.agent_name,
        changed_pairs.experiment_group,
        changed_pairs.extension_version,
        changed_pairs.model_version,
        changed_pairs.metric,
        changed_pairs.comparison,
        changed_pairs.fingerprint,
        case
            when pair_moments.shared_task_count >= {{ min_shared_tasks }}
                then 'paired'
            when changed_pairs.comparison = 'previous' then 'welch'
        end as method,
        candidate_moments.task_count,
        baseline_moments.task_count as baseline_task_count,
        coalesce(pair_moments.shared_task_count, 0) as shared_task_count,
        coalesce(pair_moments.higher_count, 0) as higher_count,
        coalesce(pair_moments.lower_count, 0) as lower_count,
        changed_pairs.direction_sign,
        changed_pairs.baseline_version_count,
        candidate_moments.mean_value as version_mean,
        candidate_moments.variance as version_variance,
        baseline_moments.mean_value as baseline_version_mean,
        baseline_moments.variance as baseline_version_variance,
        pair_moments.baseline_mean as shared_baseline_mean,
        pair_moments.candidate_mean as shared_mean,
        pair_moments.mean_difference,
        pair_moments.stddev_difference,
        pair_moments.max_difference,
        pair_moments.baseline_noise_variance
    from changed_pairs
    left join candidate_moments
        on changed_pairs.comparison_number = candidate_moments.comparison_number
    left join baseline_moments
        on changed_pairs.baseline_number = baseline_moments.baseline_number
    left join pair_moments
        on changed_pairs.comparison_number = pair_moments.comparison_number
)

select * from moments
