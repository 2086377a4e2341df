-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `correction_tasks` to `rogan_gladen`: the share that people
    would pass, from the share that the judge passes and its sensitivity and
    specificity in that arm (Rogan and Gladen 1978), and the difference of the
    arms. The errors of all six numbers are carried through by what each cluster
    of tasks does to them (the delta method), so that pairs and repeated runs
    count as what they are.
#}
{% macro correction_rogan_gladen() -%}
{%- set comparison
    = 'experiment_id, candidate_group, candidate_version, metric' -%}
{%- set arms = ['candidate', 'baseline'] -%}
rates as (
    select
        {{ comparison }},
        count(*)::float8 as n_tasks,
        {% for arm in arms -%}
            avg({{ arm }}_judge) as {{ arm }}_share,
            sum({{ arm }}_human) as {{ arm }}_positives,
            sum(1 - {{ arm }}_human) as {{ arm }}_negatives,
            sum({{ arm }}_both_positive) / nullif(sum({{ arm }}_human), 0)
                as {{ arm }}_sensitivity,
            sum({{ arm }}_both_negative) / nullif(sum(1 - {{ arm }}_human), 0)
                as {{ arm }}_specificity,
        {% endfor -%}
        count(distinct cluster_id) filter (
            where candidate_human is not null or baseline_human is not null
        )::float8 as labelled_clusters
    from correction_tasks
    where is_binary
    group by {{ comparison }}
),

informed as (
    select
        *,
        {% for arm in arms -%}
            nullif(
                greatest({{ arm }}_sensitivity + {{ arm }}_specificity - 1, 0),
                0
            ) as {{ arm }}_youden{{ ',' if not loop.last }}
        {% endfor %}
    from rates
),

true_shares as materialized (
    select
        *,
        {% for arm in arms -%}
            ({{ arm }}_share + {{ arm }}_specificity - 1) / {{ arm }}_youden
                as {{ arm }}_true_share{{ ',' if not loop.last }}
        {% endfor %}
    from informed
),

-- what a cluster does to the true share of either arm
share_parts as (
    select
        shares.experiment_id,
        shares.candidate_group,
        shares.candidate_version,
        shares.metric,
        shares.labelled_clusters,
        {% for arm in arms -%}
            sum(
                (
                    (tasks.{{ arm }}_judge - shares.{{ arm }}_share)
                    / shares.n_tasks
                    - coalesce(
                        shares.{{ arm }}_true_share
                        * (
                            tasks.{{ arm }}_both_positive
                            - shares.{{ arm }}_sensitivity
                            * tasks.{{ arm }}_human
                        )
                        / shares.{{ arm }}_positives,
                        0
                    )
                    + coalesce(
                        (1 - shares.{{ arm }}_true_share)
                        * (
                            tasks.{{ arm }}_both_negative
                            - shares.{{ arm }}_specificity
                            * (1 - tasks.{{ arm }}_human)
                        )
                        / shares.{{ arm }}_negatives,
                        0
                    )
                )
                / shares.{{ arm }}_youden
            ) as {{ arm }}_part{{ ',' if not loop.last }}
        {% endfor %}
    from true_shares as shares
    inner join correction_tasks as tasks
        on {{ is_same_comparison('shares', 'tasks', ['metric']) }}
    group by
        shares.experiment_id,
        shares.candidate_group,
        shares.candidate_version,
        shares.metric,
        shares.labelled_clusters,
        tasks.cluster_id
),

share_errors as (
    select
        {{ comparison }},
        case
            when max(labelled_clusters) > 1
                then
                    sqrt(
                        sum((candidate_part - baseline_part) ^ 2)
                        * max(labelled_clusters)
                        / (max(labelled_clusters) - 1)
                    )
        end as error
    from share_parts
    group by {{ comparison }}
),

rogan_gladen as (
    select
        shares.*,
        errors.error,
        shares.labelled_clusters - 1 as degrees_of_freedom
    from true_shares as shares
    inner join share_errors as errors
        on {{ is_same_comparison('shares', 'errors', ['metric']) }}
)
{%- endmacro %}
