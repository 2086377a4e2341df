{#
    A returned row is a candidate that the gate holds back, and why:

        dbt build --vars '{gate_experiment: exp-2025-01-001}'

    The verdict is that of `evalmart gate` with the default policy, on
    the same candidate: the latest of the experiment, unless the vars
    gate_candidate_group and gate_candidate_version name another. reject is
    blocked, needs_review inconclusive, and so is a deploy of a candidate that
    is proven worse on a part of the tasks; an unknown experiment does not pass.
    Tasks that are critical by their metadata are looked at by the command
    alone. Without gate_experiment nothing is asked and nothing returned.
#}
{% set asked_experiment = var('gate_experiment', '') | string %}
{% set asked_group = var('gate_candidate_group', '') | string %}
{% set asked_version = var('gate_candidate_version', '') | string %}

with

experiment_summaries as (
    select * from {{ ref('experiment_summaries') }}
),

experiment_segment_verdicts as (
    select * from {{ ref('experiment_segment_verdicts') }}
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

-- a part of all tasks is the whole, which has its own verdict
worse_parts as (
    select
        latest_candidates.experiment_id,
        count(*) as parts
    from latest_candidates
    inner join experiment_segment_verdicts
        on
            latest_candidates.experiment_id
            = experiment_segment_verdicts.experiment_id
            and latest_candidates.candidate_group
            = experiment_segment_verdicts.candidate_group
            and latest_candidates.candidate_version
            = experiment_segment_verdicts.candidate_version
    where
        experiment_segment_verdicts.is_proven_worse
        and experiment_segment_verdicts.total_tasks
        < latest_candidates.total_tasks
    group by latest_candidates.experiment_id
),

judged as (
    select
        asked.experiment_id,
        latest_candidates.candidate_group,
        latest_candidates.candidate_version,
        case
            when latest_candidates.recommendation = 'reject' then 'blocked'
            when
                latest_candidates.recommendation = 'needs_review'
                or worse_parts.parts > 0
                then 'inconclusive'
            when latest_candidates.recommendation = 'deploy' then 'pass'
            else 'no such candidate'
        end as verdict,
        latest_candidates.recommendation_reasons
    from asked
    left join latest_candidates
        on asked.experiment_id = latest_candidates.experiment_id
    left join worse_parts
        on asked.experiment_id = worse_parts.experiment_id
    where asked.experiment_id != ''
),

held_back as (
    select * from judged
    where verdict != 'pass'
)

select * from held_back
