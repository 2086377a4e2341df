-- sqlfluff:exclude_rules:LT02
{#
    First step of int_results_paired, from `results_with_roles`, `candidates` and
    `experiment_baselines` to `arms`: the one experiment that an arm's control
    comes from. What its latest records name goes first; an experiment that has
    no control of its own takes the baseline of its agents, where those that
    have one have the same.
#}
{% macro arm_baselines() -%}
named_controls as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        (
            array_agg(
                baseline_experiment_id
                order by load_id desc, task_id collate "C" desc
            ) filter (where baseline_experiment_id is not null)
        )[1] as baseline_experiment_id
    from candidates
    group by experiment_id, candidate_group, candidate_version
),

agent_controls as (
    select
        candidates.experiment_id,
        candidates.candidate_group,
        candidates.candidate_version,
        case
            when
                min(experiment_baselines.baseline_experiment_id)
                = max(experiment_baselines.baseline_experiment_id)
                then min(experiment_baselines.baseline_experiment_id)
        end as baseline_experiment_id
    from candidates
    inner join experiment_baselines
        on
            candidates.experiment_id = experiment_baselines.experiment_id
            and coalesce(candidates.agent_name, 'unknown')
            = experiment_baselines.agent_name
    where
        candidates.experiment_id not in (
            select results_with_roles.experiment_id
            from results_with_roles
            where results_with_roles.role = 'control'
        )
    group by
        candidates.experiment_id,
        candidates.candidate_group,
        candidates.candidate_version
),

-- one control experiment for a whole arm
arms as (
    select
        named_controls.experiment_id,
        named_controls.candidate_group,
        named_controls.candidate_version,
        coalesce(
            named_controls.baseline_experiment_id,
            agent_controls.baseline_experiment_id,
            named_controls.experiment_id
        ) as control_experiment_id
    from named_controls
    left join agent_controls
        on {{ is_same_comparison('named_controls', 'agent_controls') }}
)
{%- endmacro %}
