{#
    A returned row is a candidate that the gate holds back, and why:

        dbt build --vars '{gate_experiment: exp-2025-01-001}'

    The verdict is that of `python -m loader gate` with the default policy, on
    the same candidate: the latest of the experiment, unless the vars
    gate_candidate_group and gate_candidate_version name another. reject is
    blocked, needs_review inconclusive; an unknown experiment does not pass.
    Without gate_experiment nothing is asked and nothing returned.
#}
{% set asked_experiment = var('gate_experiment', '') | string %}
{% set asked_group = var('gate_candidate_group', '') | string %}
{% set asked_version = var('gate_candidate_version', '') | string %}

with

experiment_summaries as (
    select * from {{ ref('experiment_summaries') }}
),

asked as (
    select
        '{{ asked_experiment | replace("'", "''") }}'::text
            as experiment_id,
        '{{ asked_group | replace("'", "''") }}'::text
            as candidate_group,
        '{{ asked_version | replace("'", "''") }}'::text
            as candidate_version
),

latest_candidates as (
    select experiment_summaries.*
    from experiment_summaries
    inner join asked
        on
            experiment_summaries.experiment_id = asked.experiment_id
            and asked.candidate_group
            in ('', experiment_summaries.candidate_group)
            and asked.candidate_version
            in ('', experiment_summaries.candidate_version)
    order by
        experiment_summaries.last_recorded_at desc nulls last,
        experiment_summaries.candidate_group collate "C",
        experiment_summaries.candidate_version collate "C"
    limit 1
),

judged as (
    select
        asked.experiment_id,
        latest_candidates.candidate_group,
        latest_candidates.candidate_version,
        case latest_candidates.recommendation
            when 'deploy' then 'pass'
            when 'reject' then 'blocked'
            when 'needs_review' then 'inconclusive'
            else 'no such candidate'
        end as verdict,
        latest_candidates.recommendation_reasons
    from asked
    left join latest_candidates
        on asked.experiment_id = latest_candidates.experiment_id
    where asked.experiment_id != ''
),

held_back as (
    select * from judged
    where verdict != 'pass'
)

select * from held_back
