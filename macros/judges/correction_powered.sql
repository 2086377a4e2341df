-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `correction_tasks` to `powered`: the prediction-powered
    mean of the tasks' differences (PPI++, Angelopoulos, Duchi and Zrnic 2023).
    The judge's mean over tasks without labels, times a weight (the power tuning)
    that goes to 0 where the judge says nothing, and what people say beyond it
    where they do. With every task labelled it is what people say.

    Its error is the jackknife's over clusters, of both parts together, as that
    of comparisons is; the weight is estimated too, and costs a degree of freedom.
#}
{% macro correction_powered() -%}
{%- set comparison
    = 'experiment_id, candidate_group, candidate_version, metric' -%}
gain_means as materialized (
    select
        {{ comparison }},
        count(*) as n_pairs,
        sum(candidate_n_labels + baseline_n_labels) as n_labels,
        count(*) filter (
            where (candidate_n_labels > 0) != (baseline_n_labels > 0)
        ) as n_labelled_in_one_arm,
        count(human_gain)::float8 as n_labelled,
        (count(*) - count(human_gain))::float8 as n_unlabelled,
        count(distinct cluster_id) filter (where human_gain is not null)
        ::float8 as labelled_clusters,
        count(distinct cluster_id) filter (where human_gain is null)
        ::float8 as unlabelled_clusters,
        min(direction) as direction,
        min(direction_sign) as direction_sign,
        bool_and(is_binary) as is_binary,
        avg(judge_gain) as judge_improvement,
        avg(human_gain) as human_improvement,
        avg(labelled_judge_gain) as labelled_judge_improvement,
        coalesce(avg(judge_gain) filter (where human_gain is null), 0)
            as unlabelled_judge_improvement
    from correction_tasks
    group by {{ comparison }}
),

-- of tasks with labels the judge's reading is of the same runs
gain_squares as (
    select
        tasks.experiment_id,
        tasks.candidate_group,
        tasks.candidate_version,
        tasks.metric,
        var_samp(coalesce(tasks.labelled_judge_gain, tasks.judge_gain))
            as judge_variance,
        sum(
            (tasks.human_gain - means.human_improvement)
            * (tasks.labelled_judge_gain - means.labelled_judge_improvement)
        ) / nullif(max(means.n_labelled), 0) as covariance
    from correction_tasks as tasks
    inner join gain_means as means
        on {{ is_same_comparison('tasks', 'means', ['metric']) }}
    group by
        tasks.experiment_id,
        tasks.candidate_group,
        tasks.candidate_version,
        tasks.metric
),

tuned as materialized (
    select
        means.*,
        case
            when least(means.unlabelled_clusters, means.labelled_clusters) < 2
                then 0
            when squares.judge_variance > {{ rounding_noise() }} ^ 2
                then greatest(
                    least(
                        squares.covariance
                        / (
                            (1 + means.n_labelled / means.n_unlabelled)
                            * squares.judge_variance
                        ),
                        1
                    ),
                    0
                )
            else 0
        end as judge_weight
    from gain_means as means
    inner join gain_squares as squares
        on {{ is_same_comparison('means', 'squares', ['metric']) }}
),

gain_clusters as (
    select
        tuned.experiment_id,
        tuned.candidate_group,
        tuned.candidate_version,
        tuned.metric,
        tuned.n_labelled,
        tuned.n_unlabelled,
        tuned.labelled_clusters,
        tuned.unlabelled_clusters,
        tuned.judge_weight,
        count(tasks.human_gain)::float8 as n_labelled_here,
        (count(*) - count(tasks.human_gain))::float8 as n_unlabelled_here,
        coalesce(
            sum(
                tasks.human_gain - tuned.human_improvement
                - tuned.judge_weight
                * (
                    tasks.labelled_judge_gain
                    - tuned.labelled_judge_improvement
                )
            ),
            0
        ) as rectified,
        coalesce(
            tuned.judge_weight
            * sum(tasks.judge_gain - tuned.unlabelled_judge_improvement)
            filter (where tasks.human_gain is null),
            0
        ) as imputed
    from tuned
    inner join correction_tasks as tasks
        on {{ is_same_comparison('tuned', 'tasks', ['metric']) }}
    group by
        tuned.experiment_id,
        tuned.candidate_group,
        tuned.candidate_version,
        tuned.metric,
        tuned.n_labelled,
        tuned.n_unlabelled,
        tuned.labelled_clusters,
        tuned.unlabelled_clusters,
        tuned.judge_weight,
        tasks.cluster_id
),

gain_parts as (
    select
        {{ comparison }},
        n_labelled_here,
        rectified
        * sqrt(
            (labelled_clusters - 1) / labelled_clusters
            * (labelled_clusters - 1)
            / (labelled_clusters - case when judge_weight > 0 then 2 else 1 end)
        )
        / (1 - n_labelled_here / n_labelled) / n_labelled as rectifier_part,
        case
            when judge_weight > 0
                then
                    imputed
                    * sqrt((unlabelled_clusters - 1) / unlabelled_clusters)
                    / (1 - n_unlabelled_here / n_unlabelled) / n_unlabelled
            else 0
        end as imputed_part
    from gain_clusters
    where
        labelled_clusters > 2
        and n_labelled_here < n_labelled
),

gain_errors as (
    select
        {{ comparison }},
        sqrt(sum((rectifier_part + imputed_part) ^ 2)) as improvement_error,
        sqrt(sum(rectifier_part ^ 2)) as rectifier_error,
        sqrt(sum(imputed_part ^ 2)) as imputed_error,
        sum(n_labelled_here) ^ 2 / sum(n_labelled_here ^ 2)
            as effective_clusters
    from gain_parts
    group by {{ comparison }}
),

powered as materialized (
    select
        tuned.*,
        tuned.judge_weight * tuned.unlabelled_judge_improvement
        + tuned.human_improvement
        - tuned.judge_weight * tuned.labelled_judge_improvement
            as improvement,
        case
            when errors.improvement_error > {{ rounding_noise() }}
                then errors.improvement_error
        end as improvement_error,
        errors.rectifier_error,
        errors.imputed_error,
        errors.effective_clusters
        - case when tuned.judge_weight > 0 then 2 else 1 end
            as degrees_of_freedom
    from tuned
    left join gain_errors as errors
        on {{ is_same_comparison('tuned', 'errors', ['metric']) }}
)
{%- endmacro %}
