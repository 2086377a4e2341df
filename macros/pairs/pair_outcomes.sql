-- sqlfluff:exclude_rules:LT02
{#
    Fourth step, from `tasks` to `outcome_pairs`: how runs ended, and whether
    they end alike, as metrics beside the recorded ones.
#}
{% macro pair_outcomes() -%}
-- a score that has the name of an outcome keeps it
outcome_names as (
    select distinct
        experiment_id,
        metric
    from evaluation_scores
    where metric in ('success', 'pass_hat_k', 'pass_at_k')
),

-- how runs ended, and whether they end alike: metrics beside the recorded ones
outcomes as (
    select
        tasks.pair_number,
        tasks.experiment_id,
        tasks.control_experiment_id,
        measured.metric,
        measured.kind,
        measured.baseline_value::float8 as baseline_value,
        measured.candidate_value::float8 as candidate_value,
        case
            when measured.baseline_value is null then 0
            when measured.kind = 'success' then tasks.baseline_said_runs
            else 1
        end as baseline_repetitions,
        case
            when measured.candidate_value is null then 0
            when measured.kind = 'success' then tasks.candidate_said_runs
            else 1
        end as candidate_repetitions
    from tasks
    cross join
        lateral (
            values
            (
                'success',
                'success',
                tasks.baseline_success_rate,
                tasks.candidate_success_rate
            ),
            (
                'pass_hat_k',
                'reliability',
                tasks.baseline_pass_hat_k,
                tasks.candidate_pass_hat_k
            ),
            (
                'pass_at_k',
                'reliability',
                tasks.baseline_pass_at_k,
                tasks.candidate_pass_at_k
            )
        ) as measured (metric, kind, baseline_value, candidate_value)
    where
        (
            measured.baseline_value is not null
            or measured.candidate_value is not null
        )
        and (measured.kind = 'success' or tasks.is_same_pass_metric)
),

outcome_pairs as (
    select
        outcomes.pair_number,
        outcomes.metric,
        outcomes.kind,
        true as is_same_kind,
        outcomes.baseline_value,
        outcomes.candidate_value,
        case
            when outcomes.baseline_repetitions > 1
                then sqrt(
                    outcomes.baseline_value * (1 - outcomes.baseline_value)
                    * outcomes.baseline_repetitions
                    / (outcomes.baseline_repetitions - 1)
                )
        end as baseline_stddev,
        case
            when outcomes.candidate_repetitions > 1
                then sqrt(
                    outcomes.candidate_value * (1 - outcomes.candidate_value)
                    * outcomes.candidate_repetitions
                    / (outcomes.candidate_repetitions - 1)
                )
        end as candidate_stddev,
        outcomes.baseline_repetitions,
        outcomes.candidate_repetitions,
        outcomes.kind = 'success' as is_binary,
        outcomes.baseline_repetitions as baseline_runs,
        outcomes.candidate_repetitions as candidate_runs,
        0 as baseline_explained_runs,
        0 as candidate_explained_runs
    from outcomes
    left join outcome_names
        on
            outcomes.metric = outcome_names.metric
            and outcome_names.experiment_id
            in (outcomes.experiment_id, outcomes.control_experiment_id)
    where outcome_names.metric is null
)
{%- endmacro %}
