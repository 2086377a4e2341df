-- sqlfluff:exclude_rules:LT02
{#
    Fifth step of int_results_paired, from `pairs` and `quarantine` to
    `quarantined_tasks`: tasks that the team's quarantine names, and whether an
    entry holds or has run out for what was recorded. It goes by the day of the
    results and not by today's: a verdict is the same whenever it is built.
#}
{% macro quarantined_tasks() -%}
named_tasks as (
    select
        pairs.experiment_id,
        pairs.task_id,
        pairs.candidate_group,
        pairs.candidate_version,
        quarantine.agent_name,
        quarantine.reason,
        coalesce(
            (pairs.recorded_at at time zone 'UTC')::date <= quarantine.until,
            true
        ) as is_standing
    from pairs
    inner join quarantine
        on
            pairs.task_id = quarantine.task_id
            and quarantine.agent_name in ('*', pairs.agent_name)
),

-- an agent's own entry is the reason before that of all
quarantined_tasks as (
    select
        experiment_id,
        task_id,
        candidate_group,
        candidate_version,
        (array_agg(reason order by is_standing desc, agent_name = '*'))[1]
            as quarantine_reason,
        bool_or(is_standing) as is_quarantined,
        not bool_or(is_standing) as is_quarantine_expired
    from named_tasks
    group by experiment_id, task_id, candidate_group, candidate_version
)
{%- endmacro %}
