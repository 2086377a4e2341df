{#
    What judges said of one answer more than once: the same version, which tells
    how far it agrees with itself, and one version after another, which tells
    how far their scores lie apart. A view: it is asked for now and then.
#}
{{ config(materialized="view") }}
{%- set alpha = var('alpha') %}
{%- set judges = 'evaluator_key, metric, from_version, to_version' %}

with

judgements as (
    select * from {{ ref('int_judgements_repeated') }}
),

version_starts as (
    select
        evaluator_key,
        metric,
        judge_version,
        row_number() over (
            partition by evaluator_key, metric
            order by min(load_id) asc, judge_version collate "C" asc
        ) as version_number
    from judgements
    group by evaluator_key, metric, judge_version
),

answer_means as (
    select
        answer_key,
        cluster_id,
        evaluator_key,
        metric,
        judge_version,
        avg(value) as value
    from judgements
    group by answer_key, cluster_id, evaluator_key, metric, judge_version
),

numbered_means as (
    select
        answer_means.*,
        version_starts.version_number
    from answer_means
    inner join version_starts
        on
            answer_means.evaluator_key = version_starts.evaluator_key
            and answer_means.metric = version_starts.metric
            and answer_means.judge_version = version_starts.judge_version
),

-- one judgement after the other, by one version
retests as (
    select
        answer_key,
        cluster_id,
        evaluator_key,
        metric,
        judge_version as from_version,
        judge_version as to_version,
        lag(value) over (
            partition by answer_key, evaluator_key, metric, judge_version
            order by judgement_number
        ) as from_value,
        value as to_value
    from judgements
),

bridges as (
    select
        earlier.answer_key,
        earlier.cluster_id,
        earlier.evaluator_key,
        earlier.metric,
        earlier.judge_version as from_version,
        later.judge_version as to_version,
        earlier.value as from_value,
        later.value as to_value
    from numbered_means as earlier
    inner join numbered_means as later
        on
            earlier.answer_key = later.answer_key
            and earlier.evaluator_key = later.evaluator_key
            and earlier.metric = later.metric
            and earlier.version_number < later.version_number
),

pairs as (
    select * from retests
    where from_value is not null
    union all
    select * from bridges
),

differences as (
    select
        *,
        (to_value - from_value)::float8 as difference
    from pairs
),

means as (
    select
        {{ judges }},
        count(*)::float8 as n_pairs,
        count(distinct answer_key) as n_answers,
        count(*) filter (where to_value = from_value)::float8 as n_agreed,
        avg(from_value)::float8 as from_mean,
        avg(to_value)::float8 as to_mean,
        avg(to_value - from_value)::float8 as mean_difference,
        avg(abs(to_value - from_value))::float8 as mean_absolute_difference,
        sqrt(avg((to_value - from_value) ^ 2) / 2)::float8 as typical_error
    from pairs
    group by {{ judges }}
),

clusters as (
    select
        differences.evaluator_key,
        differences.metric,
        differences.from_version,
        differences.to_version,
        means.n_pairs,
        count(*)::float8 as n_here,
        sum(differences.difference - means.mean_difference) as deviation
    from differences
    inner join means
        on
            {{ agree_on('differences', 'means', [
                'evaluator_key', 'metric', 'from_version', 'to_version'
            ]) }}
    group by
        differences.evaluator_key,
        differences.metric,
        differences.from_version,
        differences.to_version,
        means.n_pairs,
        differences.cluster_id
),

-- the jackknife's over tasks, as that of comparisons is
errors as (
    select
        {{ judges }},
        count(*) as n_tasks,
        sum(n_here) ^ 2 / sum(n_here ^ 2) as effective_tasks,
        case
            when count(*) > 1
                then
                    sqrt(
                        (count(*) - 1)::float8 / count(*)
                        * sum(
                            (deviation / nullif(1 - n_here / n_pairs, 0)) ^ 2
                        )
                    ) / max(n_pairs)
        end as difference_error
    from clusters
    group by {{ judges }}
),

joined as (
    select
        means.*,
        errors.n_tasks,
        errors.effective_tasks,
        case
            when errors.difference_error > {{ rounding_noise() }}
                then errors.difference_error
        end as difference_error,
        {{ statistical_function('student_t_ppf') }}(
            1 - {{ alpha }} / 2.0::float8, nullif(errors.effective_tasks - 1, 0)
        ) as critical_value
    from means
    inner join errors
        on
            {{ agree_on('means', 'errors', [
                'evaluator_key', 'metric', 'from_version', 'to_version'
            ]) }}
),

repeats as (
    select
        evaluator_key,
        metric,
        from_version,
        to_version,
        n_pairs::integer as n_pairs,
        n_answers::integer as n_answers,
        n_tasks::integer as n_tasks,
        effective_tasks,
        from_mean,
        to_mean,
        n_agreed / n_pairs as agreement,
        {{ statistical_function('wilson_lower') }}(
            n_agreed / n_pairs * effective_tasks, effective_tasks, {{ alpha }}
        ) as agreement_low,
        {{ statistical_function('wilson_upper') }}(
            n_agreed / n_pairs * effective_tasks, effective_tasks, {{ alpha }}
        ) as agreement_high,
        mean_difference,
        difference_error,
        mean_difference - critical_value * difference_error as difference_low,
        mean_difference + critical_value * difference_error as difference_high,
        mean_absolute_difference,
        case when from_version = to_version then typical_error end
            as typical_error,
        from_version = to_version as is_same_version
    from joined
)

select * from repeats
