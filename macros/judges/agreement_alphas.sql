-- sqlfluff:exclude_rules:LT02
{#
    Third step, from `numbered`, `means` and `cells` to `alphas`: Krippendorff's
    alpha of judge and person (2011), as two coders without a gap, by name and
    by distance. Its error is what leaving a task out does to it (the jackknife):
    nothing is drawn by lot, and runs of one task count as one.

    Sums are around the mean of both readings; of units that are left out,
    their own are taken off.
#}
{% macro agreement_alphas() -%}
cluster_sums as materialized (
    select
        numbered.slice_number,
        numbered.cluster,
        count(*) as n_units,
        count(*) filter (where numbered.judge_value != numbered.human_value)
            as n_differing,
        sum(numbered.error) as error_sum,
        sum(numbered.error ^ 2) as squared_errors,
        sum(
            numbered.judge + numbered.human
            - means.judge_mean - means.human_mean
        ) as centred_sum,
        sum(
            (
                numbered.judge - (means.judge_mean + means.human_mean) / 2
            ) ^ 2
            + (
                numbered.human - (means.judge_mean + means.human_mean) / 2
            ) ^ 2
        ) as centred_squares
    from numbered
    inner join means
        on numbered.slice_number = means.slice_number
    group by numbered.slice_number, numbered.cluster
),

slice_sums as materialized (
    select
        slice_number,
        sum(n_units)::float8 as n_units,
        sum(n_differing)::float8 as n_differing,
        sum(squared_errors) as squared_errors,
        sum(centred_squares) as centred_squares
    from cluster_sums
    group by slice_number
),

cluster_sides as (
    select
        slice_number,
        cluster,
        judge as category
    from numbered
    union all
    select
        slice_number,
        cluster,
        human as category
    from numbered
),

cluster_categories as (
    select
        slice_number,
        cluster,
        category,
        count(*)::float8 as n_values
    from cluster_sides
    group by slice_number, cluster, category
),

slice_categories as (
    select
        slice_number,
        category,
        sum(n_values) as n_values
    from cluster_categories
    group by slice_number, category
),

-- ordered pairs of equal values, and those that go with a cluster
slice_matches as (
    select
        slice_number,
        sum(n_values * (n_values - 1)) as n_matches
    from slice_categories
    group by slice_number
),

cluster_matches as (
    select
        cluster_categories.slice_number,
        cluster_categories.cluster,
        sum(
            cluster_categories.n_values
            * (
                2 * slice_categories.n_values
                - cluster_categories.n_values
                - 1
            )
        ) as n_matches
    from cluster_categories
    inner join slice_categories
        on
            cluster_categories.slice_number = slice_categories.slice_number
            and cluster_categories.category = slice_categories.category
    group by cluster_categories.slice_number, cluster_categories.cluster
),

without_cluster as (
    select
        cluster_sums.slice_number,
        {{ krippendorff_nominal(
            'slice_sums.n_units - cluster_sums.n_units',
            'slice_sums.n_differing - cluster_sums.n_differing',
            'slice_matches.n_matches - cluster_matches.n_matches',
        ) }} as alpha_nominal,
        {{ krippendorff_interval(
            'slice_sums.n_units - cluster_sums.n_units',
            'slice_sums.squared_errors - cluster_sums.squared_errors',
            'slice_sums.centred_squares - cluster_sums.centred_squares'
            ~ ' - cluster_sums.centred_sum ^ 2 / nullif('
            ~ '2 * (slice_sums.n_units - cluster_sums.n_units), 0)',
        ) }} as alpha_interval
    from cluster_sums
    inner join slice_sums
        on cluster_sums.slice_number = slice_sums.slice_number
    inner join slice_matches
        on cluster_sums.slice_number = slice_matches.slice_number
    inner join cluster_matches
        on
            cluster_sums.slice_number = cluster_matches.slice_number
            and cluster_sums.cluster = cluster_matches.cluster
),

jackknives as (
    select
        slice_number,
        -- one that cannot be told without some task has no error
        case
            when count(alpha_nominal) = count(*) and count(*) > 1
                then
                    sqrt((count(*) - 1) * var_pop(alpha_nominal))
        end as alpha_nominal_error,
        case
            when count(alpha_interval) = count(*) and count(*) > 1
                then
                    sqrt((count(*) - 1) * var_pop(alpha_interval))
        end as alpha_interval_error
    from without_cluster
    group by slice_number
),

alphas as materialized (
    select
        slice_sums.slice_number,
        {{ krippendorff_nominal(
            'slice_sums.n_units',
            'slice_sums.n_differing',
            'slice_matches.n_matches',
        ) }} as alpha_nominal,
        {{ krippendorff_interval(
            'slice_sums.n_units',
            'slice_sums.squared_errors',
            'slice_sums.centred_squares',
        ) }} as alpha_interval,
        jackknives.alpha_nominal_error,
        jackknives.alpha_interval_error
    from slice_sums
    inner join slice_matches
        on slice_sums.slice_number = slice_matches.slice_number
    inner join jackknives
        on slice_sums.slice_number = jackknives.slice_number
)
{%- endmacro %}


{# 1 - observed / expected disagreement; null where all values are one. #}
{% macro krippendorff_nominal(n_units, n_differing, n_matches) -%}
    1 - (2 * ({{ n_units }}) - 1) * 2 * ({{ n_differing }})
    / nullif(
        2 * ({{ n_units }}) * (2 * ({{ n_units }}) - 1) - ({{ n_matches }}), 0
    )
{%- endmacro %}


{# The same with squared distances; what rounding leaves of none is none. #}
{% macro krippendorff_interval(n_units, squared_errors, squares) -%}
    1 - (2 * ({{ n_units }}) - 1) * ({{ squared_errors }})
    / nullif(
        2 * ({{ n_units }}) * case
            when ({{ squares }}) > {{ rounding_noise() }}
                then {{ squares }}
            else 0
        end,
        0
    )
{%- endmacro %}
