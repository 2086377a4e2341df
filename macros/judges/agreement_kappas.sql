-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `numbered` and `means` to `kappas`: agreement beyond
    chance of two readings that take few values (Cohen 1960; its error, Fleiss,
    Cohen and Everitt 1969), and the table of both that it comes of.
#}
{% macro agreement_kappas() -%}
cells as materialized (
    select
        numbered.slice_number,
        numbered.judge,
        numbered.human,
        count(*) as n_runs,
        count(*)::float8 / means.n_labels as share
    from numbered
    inner join means
        on numbered.slice_number = means.slice_number
    -- a continuous reading has no categories
    where greatest(means.n_judge_values, means.n_human_values) <= 20
    group by
        numbered.slice_number, numbered.judge, numbered.human, means.n_labels
),

sides as (
    select
        slice_number,
        judge as category,
        share as judge_share,
        0 as human_share
    from cells
    union all
    select
        slice_number,
        human as category,
        0 as judge_share,
        share as human_share
    from cells
),

categories as materialized (
    select
        slice_number,
        category,
        sum(judge_share) as judge_share,
        sum(human_share) as human_share
    from sides
    group by slice_number, category
),

chances as (
    select
        slice_number,
        sum(judge_share * human_share) as chance,
        count(*) as n_categories
    from categories
    group by slice_number
),

simple_kappas as materialized (
    select
        means.slice_number,
        means.n_labels,
        chances.chance,
        case
            when chances.n_categories > 1
                then
                    (means.n_agreed::float8 / means.n_labels - chances.chance)
                    / (1 - chances.chance)
        end as kappa
    from means
    inner join chances
        on means.slice_number = chances.slice_number
),

cell_terms as (
    select
        cells.slice_number,
        cells.judge,
        cells.human,
        cells.n_runs,
        cells.share * case
            when cells.judge = cells.human
                then (
                    1 - (judged.judge_share + judged.human_share)
                    * (1 - simple_kappas.kappa)
                ) ^ 2
            else (
                (judged.human_share + said.judge_share)
                * (1 - simple_kappas.kappa)
            ) ^ 2
        end as term
    from cells
    inner join simple_kappas
        on cells.slice_number = simple_kappas.slice_number
    inner join categories as judged
        on
            cells.slice_number = judged.slice_number
            and cells.judge = judged.category
    inner join categories as said
        on
            cells.slice_number = said.slice_number
            and cells.human = said.category
),

kappa_terms as (
    select
        slice_number,
        sum(term) as term,
        jsonb_agg(
            jsonb_build_object('judge', judge, 'human', human, 'runs', n_runs)
            order by judge, human
        ) as confusion,
        coalesce(sum(n_runs) filter (where judge = 1 and human = 1), 0)
            as true_positives,
        coalesce(sum(n_runs) filter (where judge = 1 and human = 0), 0)
            as false_positives,
        coalesce(sum(n_runs) filter (where judge = 0 and human = 1), 0)
            as false_negatives,
        coalesce(sum(n_runs) filter (where judge = 0 and human = 0), 0)
            as true_negatives
    from cell_terms
    group by slice_number
),

kappas as materialized (
    select
        kappa_terms.*,
        simple_kappas.kappa,
        sqrt(
            greatest(
                kappa_terms.term
                - (
                    simple_kappas.kappa
                    - simple_kappas.chance * (1 - simple_kappas.kappa)
                ) ^ 2,
                0
            )
            / simple_kappas.n_labels
        ) / nullif(1 - simple_kappas.chance, 0) as kappa_error
    from kappa_terms
    inner join simple_kappas
        on kappa_terms.slice_number = simple_kappas.slice_number
)
{%- endmacro %}
