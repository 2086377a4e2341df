-- sqlfluff:exclude_rules:LT02
{#
    How many more tasks would decide, and for what: steps of the verdict's rule
    that end in `requirements`. The estimates are taken for the truth; the data
    at hand stay. Each metric goes by its reading with the lower improvement.
#}
{% macro verdict_requirements(settings, level, comparison) -%}
{%- set z = statistical_function('normal_ppf') ~ '(1 - ' ~ level ~ ')' -%}
{%- set z_kept
    = statistical_function('normal_ppf') ~ '(1 - ' ~ settings.kept_level ~ ')'
-%}
deciding_metrics as (
    select
        *,
        n_pairs::float8 as n_decided
    from judged_metrics
    where role = 'deciding'
),

-- what stands in the way, or nothing: then a number of tasks may decide
obstacles as (
    select
        recommended.experiment_id,
        recommended.candidate_group,
        recommended.candidate_version,
        recommended.segment,
        recommended.is_anytime,
        recommended.label,
        deciding_metrics.n_decided,
        case
            when recommended.recommendation != 'needs_review' then 'decided'
            when coalesce(deciding_metrics.n_pairs, 0) = 0 then 'no_pairs'
            when recommended.has_low_coverage or recommended.has_incomparable
                then 'low_coverage'
            when recommended.label = 'trade_off' then 'trade_off'
            when recommended.has_tripped or recommended.is_composite_worse
                then 'harm'
            when recommended.has_hidden_critical
                then 'critical_task_quarantined'
            when
                deciding_metrics.improvement is not null
                and coalesce(deciding_metrics.lower_improvement_error, 0) = 0
                then 'no_error'
            when recommended.is_anytime then 'peeking'
            when
                deciding_metrics.effective_clusters < 10 - 1e-9
                and deciding_metrics.effective_clusters
                < deciding_metrics.n_pairs - 1e-9
                then 'few_clusters'
        end as obstacle
    from recommended
    left join deciding_metrics
        on {{ is_same_verdict('recommended', 'deciding_metrics') }}
),

required_parts as (
    select
        obstacles.experiment_id,
        obstacles.candidate_group,
        obstacles.candidate_version,
        obstacles.segment,
        obstacles.is_anytime,
        obstacles.label,
        obstacles.n_decided,
        judged_metrics.metric,
        judged_metrics.role,
        judged_metrics.role = 'deciding' as is_deciding,
        judged_metrics.lower_improvement as improvement,
        judged_metrics.lower_improvement_error * sqrt(obstacles.n_decided)
            as deviation,
        judged_metrics.improvement_margin as margin,
        {{ statistical_function('normal_ppf') }}(
            1 - {{ settings.gain_level }} / nullif(
                count(*) filter (where judged_metrics.role = 'guardrail')
                over (
                    partition by
                        obstacles.experiment_id,
                        obstacles.candidate_group,
                        obstacles.candidate_version,
                        obstacles.segment,
                        obstacles.is_anytime
                ),
                0
            )
        ) as z_gain
    from obstacles
    inner join judged_metrics
        on {{ is_same_verdict('obstacles', 'judged_metrics') }}
    where
        obstacles.obstacle is null
        and judged_metrics.role in ('deciding', 'guardrail')
),

-- the deciding metric better, every guardrail kept
tasks_to_be_better as (
    select
        {{ comparison }},
        case
            when bool_or(is_deciding and improvement > 0)
                then {{ statistical_function('required_tasks') }}(
                    max(n_decided),
                    array_agg(improvement order by metric),
                    array_agg(deviation order by metric),
                    array_agg(
                        case when is_deciding then 0 else -margin end
                        order by metric
                    ),
                    array_agg(
                        case when is_deciding then {{ z }} else {{ z_kept }} end
                        order by metric
                    ),
                    null,
                    null,
                    0.8
                )
        end as tasks
    from required_parts
    group by {{ comparison }}
),

-- everything proven kept; with a gain, or with none to be not worse
possible_gains as (
    select
        {{ comparison }},
        metric as gain_metric
    from required_parts
    where
        role = 'guardrail'
        and improvement >= {{ settings.minimum_gain }} * margin
    union all
    select distinct
        {{ comparison }},
        '' as gain_metric
    from required_parts
),

tasks_to_be_kept as (
    select
        required_parts.experiment_id,
        required_parts.candidate_group,
        required_parts.candidate_version,
        required_parts.segment,
        required_parts.is_anytime,
        possible_gains.gain_metric,
        {{ statistical_function('required_tasks') }}(
            max(required_parts.n_decided),
            array_agg(required_parts.improvement order by required_parts.metric),
            array_agg(required_parts.deviation order by required_parts.metric),
            array_agg(
                case
                    when required_parts.metric = possible_gains.gain_metric
                        then 0
                    else -required_parts.margin
                end
                order by required_parts.metric
            ),
            array_agg(
                case
                    when required_parts.metric = possible_gains.gain_metric
                        then required_parts.z_gain
                    else {{ z }}
                end
                order by required_parts.metric
            ),
            array_agg(
                case
                    when required_parts.metric = possible_gains.gain_metric
                        then
                            {{ settings.minimum_gain }} * required_parts.margin
                    when required_parts.is_deciding then 0
                end
                order by required_parts.metric
            ),
            array_agg(
                case
                    when required_parts.metric = possible_gains.gain_metric
                        then 0
                    when required_parts.is_deciding then -{{ z }}
                end
                order by required_parts.metric
            ),
            0.8
        ) as tasks
    from required_parts
    inner join possible_gains
        on {{ is_same_verdict('required_parts', 'possible_gains') }}
    group by
        required_parts.experiment_id,
        required_parts.candidate_group,
        required_parts.candidate_version,
        required_parts.segment,
        required_parts.is_anytime,
        possible_gains.gain_metric
),

tasks_of_routes as (
    select
        {{ comparison }},
        min(tasks) filter (where gain_metric != '') as tasks_for_gain,
        min(tasks) filter (where gain_metric = '') as tasks_for_not_worse
    from tasks_to_be_kept
    group by {{ comparison }}
),

tasks_to_be_rejected as (
    select
        {{ comparison }},
        {{ statistical_function('required_tasks') }}(
            n_decided,
            array[-improvement],
            array[deviation],
            array[0::float8],
            array[{{ z }}],
            array[margin],
            array[-{{ z_kept }}],
            0.8
        ) as tasks
    from required_parts
    -- one loss of 20 is the margin, whatever its last digit is
    where is_deciding and improvement < -margin - {{ rounding_noise() }}
),

required_numbers as (
    select
        obstacles.*,
        least(tasks_to_be_better.tasks, tasks_of_routes.tasks_for_gain)
            as tasks_for_deploy,
        tasks_to_be_rejected.tasks as tasks_for_reject,
        case
            when coalesce(obstacles.label, '') != 'not_worse'
                then tasks_of_routes.tasks_for_not_worse
        end as tasks_for_not_worse
    from obstacles
    left join tasks_to_be_better
        on {{ is_same_verdict('obstacles', 'tasks_to_be_better') }}
    left join tasks_of_routes
        on {{ is_same_verdict('obstacles', 'tasks_of_routes') }}
    left join tasks_to_be_rejected
        on {{ is_same_verdict('obstacles', 'tasks_to_be_rejected') }}
),

requirements as (
    select
        {{ comparison }},
        greatest(
            coalesce(tasks_for_deploy, tasks_for_reject, tasks_for_not_worse),
            case
                when
                    coalesce(
                        tasks_for_deploy, tasks_for_reject, tasks_for_not_worse
                    ) is not null
                    then ({{ settings.minimum_tasks }} - n_decided)::bigint
            end
        ) as required_additional_tasks,
        case
            when tasks_for_deploy is not null then 'deploy'
            when tasks_for_reject is not null then 'reject'
            when tasks_for_not_worse is not null then 'not_worse'
        end as required_for,
        case
            when obstacle is not null then obstacle
            when
                coalesce(
                    tasks_for_deploy, tasks_for_reject, tasks_for_not_worse
                ) is null
                then 'no_number_decides'
        end as required_note
    from required_numbers
)
{%- endmacro %}
