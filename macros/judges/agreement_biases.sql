-- sqlfluff:exclude_rules:LT02
{#
    Fourth step, from `numbered` and `means` to `biases`: how far the judge is
    above people, and how much more so in candidates' arms than in baselines'.
    Errors are of clusters, as those of comparisons are. And what people are to
    each other, where several scored a run.
#}
{% macro agreement_biases() -%}
bias_clusters as (
    select
        numbered.slice_number,
        numbered.cluster,
        count(*)::float8 as n_runs,
        sum(numbered.error - means.bias) as deviation,
        coalesce(
            sum(numbered.error - means.candidate_bias) filter (
                where numbered.group_role = 'treatment'
            )
            / sqrt(
                nullif(means.n_candidate_labels, 0)::float8
                * nullif(means.n_candidate_labels - 1, 0)
            ),
            0
        )
        - coalesce(
            sum(numbered.error - means.baseline_bias) filter (
                where numbered.group_role = 'control'
            )
            / sqrt(
                nullif(means.n_baseline_labels, 0)::float8
                * nullif(means.n_baseline_labels - 1, 0)
            ),
            0
        ) as arms_deviation,
        bool_or(numbered.group_role = 'treatment') as has_candidate,
        bool_or(numbered.group_role = 'control') as has_baseline,
        means.n_labels
    from numbered
    inner join means
        on numbered.slice_number = means.slice_number
    group by
        numbered.slice_number,
        numbered.cluster,
        means.n_labels,
        means.n_candidate_labels,
        means.n_baseline_labels
),

biases as materialized (
    select
        slice_number,
        case
            when count(*) > 1
                then
                    sqrt(
                        (count(*) - 1)::float8 / count(*)
                        * sum((deviation / (1 - n_runs / n_labels)) ^ 2)
                    ) / max(n_labels)
        end as bias_error,
        sum(n_runs) * (sum(n_runs) / sum(n_runs ^ 2)) - 1
            as degrees_of_freedom,
        case
            when
                least(
                    count(*) filter (where has_candidate),
                    count(*) filter (where has_baseline)
                ) > 1
                then sqrt(sum(arms_deviation ^ 2))
        end as arms_error,
        least(
            count(*) filter (where has_candidate),
            count(*) filter (where has_baseline)
        )::float8 - 1 as arms_degrees_of_freedom
    from bias_clusters
    where n_runs < n_labels
    group by slice_number
),

people as (
    select
        slice_number,
        sum(annotators) as n_values,
        sum(
            2 * (
                annotators * annotation_squares
                - (annotators * human_value) ^ 2
            )
            / (annotators - 1)
        ) as disagreement,
        sum(annotation_squares)
        - sum(annotators * human_value) ^ 2 / sum(annotators) as squares
    from numbered
    where annotators > 1
    group by slice_number
)
{%- endmacro %}
