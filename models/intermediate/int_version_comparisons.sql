{#
    Every version against the one before it and against the frozen reference of
    its segment, task by task. Only comparisons whose version, baseline or
    settings changed are computed again: the fingerprint names all three.

    Arithmetic is numeric up to the last step, so that the same values give the
    same digits whatever order they came in.

    Steps have no statistics: the planner takes them for one row and would loop
    over it.
#}
{{
    config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key=[
            "agent_name",
            "experiment_group",
            "extension_version",
            "model_version",
            "metric",
            "comparison",
        ],
        pre_hook="{{ join_by_hash() }}",
        post_hook="
            delete from {{ this }} as built
            where not exists (
                select
                from {{ ref('int_version_pairs') }} as wanted
                where
                    built.agent_name = wanted.agent_name
                    and built.experiment_group = wanted.experiment_group
                    and built.extension_version = wanted.extension_version
                    and built.model_version = wanted.model_version
                    and built.metric = wanted.metric
                    and built.comparison = wanted.comparison
            )
        ",
    )
}}

{% set alpha = var('alpha') %}
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
        dense_rank() over (
            order by
                version_pairs.agent_name,
                version_pairs.experiment_group,
                version_pairs.model_version,
                version_pairs.metric,
                version_pairs.comparison,
                version_pairs.baseline_from,
                version_pairs.baseline_to
        ) as baseline_number
    from version_pairs
    {% if is_incremental() %}
        left join {{ this }} as built
            on
                version_pairs.agent_name = built.agent_name
                and version_pairs.experiment_group = built.experiment_group
                and version_pairs.extension_version = built.extension_version
                and version_pairs.model_version = built.model_version
                and version_pairs.metric = built.metric
                and version_pairs.comparison = built.comparison
                and version_pairs.fingerprint = built.fingerprint
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
            baselines.agent_name = series.agent_name
            and baselines.experiment_group = series.experiment_group
            and baselines.model_version = series.model_version
            and baselines.metric = series.metric
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

wanted_experiments as (
    select distinct rollups.experiment_id
    from rollups
    inner join all_members
        on
            rollups.agent_name = all_members.agent_name
            and rollups.experiment_group = all_members.experiment_group
            and rollups.extension_version = all_members.extension_version
            and rollups.model_version = all_members.model_version
),

evaluation_results as (
    {{
        rows_of_experiments(
            ref('evaluation_results'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

evaluation_scores as (
    {{
        rows_of_experiments(
            ref('evaluation_scores'), 'wanted_experiments', 'experiment_id'
        )
    }}
),

wanted_results as (
    select
        evaluation_results.experiment_id,
        evaluation_results.result_id,
        evaluation_results.task_id,
        all_members.agent_name,
        all_members.experiment_group,
        all_members.extension_version,
        all_members.model_version
    from evaluation_results
    inner join all_members
        on
            coalesce(evaluation_results.agent_name, 'unknown')
            = all_members.agent_name
            and evaluation_results.experiment_group
            = all_members.experiment_group
            and evaluation_results.extension_version
            = all_members.extension_version
            and evaluation_results.model_version = all_members.model_version
),

-- the unit is the task: its mean over the experiments of a version
task_means as (
    select
        wanted_results.agent_name,
        wanted_results.experiment_group,
        wanted_results.extension_version,
        wanted_results.model_version,
        evaluation_scores.metric,
        wanted_results.task_id,
        avg(evaluation_scores.value::numeric) as mean_value
    from wanted_results
    inner join evaluation_scores
        on
            wanted_results.experiment_id = evaluation_scores.experiment_id
            and wanted_results.result_id = evaluation_scores.result_id
    where evaluation_scores.value is not null
    group by
        wanted_results.agent_name,
        wanted_results.experiment_group,
        wanted_results.extension_version,
        wanted_results.model_version,
        evaluation_scores.metric,
        wanted_results.task_id
),

baseline_tasks as (
    select
        baseline_members.baseline_number,
        task_means.task_id,
        avg(task_means.mean_value) as mean_value,
        var_samp(task_means.mean_value) as variance
    from baseline_members
    inner join task_means
        on
            baseline_members.agent_name = task_means.agent_name
            and baseline_members.experiment_group = task_means.experiment_group
            and baseline_members.extension_version
            = task_means.extension_version
            and baseline_members.model_version = task_means.model_version
            and baseline_members.metric = task_means.metric
    group by baseline_members.baseline_number, task_means.task_id
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

version_moments as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        count(*) as task_count,
        avg(mean_value) as mean_value,
        var_samp(mean_value) as variance
    from task_means
    group by
        agent_name, experiment_group, extension_version, model_version, metric
),

task_pairs as (
    select
        changed_pairs.agent_name,
        changed_pairs.experiment_group,
        changed_pairs.extension_version,
        changed_pairs.model_version,
        changed_pairs.metric,
        changed_pairs.comparison,
        baseline_tasks.mean_value as baseline_value,
        baseline_tasks.variance as baseline_variance,
        task_means.mean_value as candidate_value,
        -- what differs by rounding alone does not differ
        case
            when
                abs(task_means.mean_value - baseline_tasks.mean_value)
                <= 1e-12 * greatest(
                    abs(task_means.mean_value), abs(baseline_tasks.mean_value)
                )
                then 0
            else task_means.mean_value - baseline_tasks.mean_value
        end as difference
    from changed_pairs
    inner join task_means
        on
            changed_pairs.agent_name = task_means.agent_name
            and changed_pairs.experiment_group = task_means.experiment_group
            and changed_pairs.extension_version = task_means.extension_version
            and changed_pairs.model_version = task_means.model_version
            and changed_pairs.metric = task_means.metric
    inner join baseline_tasks
        on
            changed_pairs.baseline_number = baseline_tasks.baseline_number
            and task_means.task_id = baseline_tasks.task_id
),

pair_moments as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        comparison,
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
    group by
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        comparison
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
        version_moments.task_count,
        baseline_moments.task_count as baseline_task_count,
        coalesce(pair_moments.shared_task_count, 0) as shared_task_count,
        coalesce(pair_moments.higher_count, 0) as higher_count,
        coalesce(pair_moments.lower_count, 0) as lower_count,
        changed_pairs.direction_sign,
        changed_pairs.baseline_version_count,
        {{ function('to_double') }}(version_moments.mean_value)
            as version_mean,
        {{ function('to_double') }}(version_moments.variance)
            as version_variance,
        {{ function('to_double') }}(baseline_moments.mean_value)
            as baseline_version_mean,
        {{ function('to_double') }}(baseline_moments.variance)
            as baseline_version_variance,
        {{ function('to_double') }}(pair_moments.baseline_mean)
            as shared_baseline_mean,
        {{ function('to_double') }}(pair_moments.candidate_mean)
            as shared_mean,
        {{ function('to_double') }}(pair_moments.mean_difference)
            as mean_difference,
        {{ function('to_double') }}(
            case
                when
                    pair_moments.stddev_difference
                    < 1e-12 * pair_moments.max_difference
                    then 0
                else pair_moments.stddev_difference
            end
        ) as stddev_difference,
        {{ function('to_double') }}(pair_moments.baseline_noise_variance)
            as baseline_noise_variance
    from changed_pairs
    left join version_moments
        on
            changed_pairs.agent_name = version_moments.agent_name
            and changed_pairs.experiment_group
            = version_moments.experiment_group
            and changed_pairs.extension_version
            = version_moments.extension_version
            and changed_pairs.model_version = version_moments.model_version
            and changed_pairs.metric = version_moments.metric
    left join baseline_moments
        on changed_pairs.baseline_number = baseline_moments.baseline_number
    left join pair_moments
        on
            changed_pairs.agent_name = pair_moments.agent_name
            and changed_pairs.experiment_group = pair_moments.experiment_group
            and changed_pairs.extension_version
            = pair_moments.extension_version
            and changed_pairs.model_version = pair_moments.model_version
            and changed_pairs.metric = pair_moments.metric
            and changed_pairs.comparison = pair_moments.comparison
),

-- variances of the two means, for Welch's test
mean_variances as (
    select
        *,
        version_variance / task_count as version_error,
        baseline_version_variance / baseline_task_count as baseline_error
    from moments
),

errors as (
    select
        *,
        case method
            when 'paired' then mean_difference
            when 'welch' then version_mean - baseline_version_mean
        end as change,
        case method
            when 'paired'
                then stddev_difference / sqrt(shared_task_count)
            when 'welch' then sqrt(version_error + baseline_error)
        end as standard_error,
        case method
            when 'paired' then shared_task_count - 1
            when 'welch'
                then
                    (version_error + baseline_error) ^ 2
                    / nullif(
                        version_error ^ 2 / nullif(task_count - 1, 0)
                        + baseline_error ^ 2
                        / nullif(baseline_task_count - 1, 0),
                        0
                    )
        end as degrees_of_freedom,
        -- what the reference's own versions scatter, task by task
        case
            when method = 'paired' and baseline_noise_variance is not null
                then
                    sqrt(
                        baseline_noise_variance
                        * (1 + 1.0 / baseline_version_count)
                        / shared_task_count
                    )
        end as reference_error
    from mean_variances
),

tested as (
    select
        *,
        case
            when standard_error > 0
                then
                    {{ statistical_function('student_t_p_value') }}(
                        change / standard_error, degrees_of_freedom
                    )
            when method = 'paired'
                then
                    {{ statistical_function('sign_test_p_value') }}(
                        higher_count, lower_count
                    )
        end as p_value,
        case
            when standard_error > 0
                then
                    standard_error
                    * {{ statistical_function('student_t_ppf') }}(
                        1 - {{ alpha }} / 2.0, degrees_of_freedom
                    )
        end as half_width,
        case
            when greatest(standard_error, reference_error) > 0
                then
                    {{ statistical_function('student_t_sf') }}(
                        abs(change) / greatest(standard_error, reference_error),
                        degrees_of_freedom
                    )
            else
                {{ statistical_function('sign_test_p_value') }}(
                    higher_count, lower_count
                ) / 2
        end as tail
    from errors
),

described as (
    select
        agent_name,
        experiment_group,
        extension_version,
        model_version,
        metric,
        comparison,
        fingerprint,
        case
            when standard_error > 0 then method
            when standard_error = 0 and method = 'paired' then 'sign'
        end as method,
        case
            when standard_error > 0 then null
            when standard_error is null then 'too_few_tasks'
            else 'no_variance'
        end as undefined_reason,
        task_count,
        baseline_task_count,
        shared_task_count,
        shared_mean,
        shared_baseline_mean,
        mean_difference as shared_difference,
        change,
        change - half_width as change_low,
        change + half_width as change_high,
        100 * direction_sign * change / nullif(
            abs(
                case method
                    when 'paired' then shared_baseline_mean
                    else baseline_version_mean
                end
            ),
            0
        ) as change_pct,
        standard_error,
        degrees_of_freedom::double precision as degrees_of_freedom,
        p_value,
        -- how far it is worse, in standard normal deviates of the same tail
        case
            when method != 'paired' then null
            when change = 0 then 0
            else
                -sign(direction_sign * change)
                * {{ statistical_function('normal_ppf') }}(
                    1 - greatest(tail, 1e-15)
                )
        end as worsening_deviate
    from tested
)

select * from described
