{#
    A table that is made anew: it is of few rows, and the two sides of a
    comparison may be of two experiments, of which either may change.
#}
{{ config(materialized="table", pre_hook="{{ join_by_hash() }}") }}
{%- set pair = [
    'comparative_experiment_id', 'evaluator_key', 'baseline_arm',
    'candidate_arm',
] -%}

with

pairwise_scores as (
    select * from {{ ref('int_pairwise_scores') }}
),

experiment_groups as (
    select * from {{ ref('experiment_groups') }}
),

group_roles as (
    select * from {{ ref('int_group_roles') }}
),

-- several runs of an arm at one meeting have their mean
arm_scores as materialized (
    select
        pairwise_scores.comparative_experiment_id,
        pairwise_scores.evaluator_key,
        pairwise_scores.meeting,
        json_build_array(
            pairwise_scores.experiment_id,
            pairwise_scores.experiment_group,
            pairwise_scores.extension_version
        )::text as arm,
        max(coalesce(group_roles.role, experiment_groups.role)) as role,
        min(pairwise_scores.task_id collate "C") as task_id,
        avg(pairwise_scores.score) as score
    from pairwise_scores
    left join experiment_groups
        on
            pairwise_scores.experiment_group
            = experiment_groups.experiment_group
    left join group_roles
        on
            pairwise_scores.experiment_id = group_roles.experiment_id
            and pairwise_scores.experiment_group = group_roles.experiment_group
    group by
        pairwise_scores.comparative_experiment_id,
        pairwise_scores.evaluator_key,
        pairwise_scores.meeting,
        pairwise_scores.experiment_id,
        pairwise_scores.experiment_group,
        pairwise_scores.extension_version
),

{{ preference_pairs() }},

arm_tasks as (
    select distinct
        comparative_experiment_id,
        evaluator_key,
        arm,
        role,
        task_id
    from arm_scores
),

-- an arm that met nobody is a pair of one
all_pairs as (
    select * from pairs
    union all
    select distinct
        arm_tasks.comparative_experiment_id,
        arm_tasks.evaluator_key,
        case when arm_tasks.role = 'control' then arm_tasks.arm end
            as baseline_arm,
        case
            when coalesce(arm_tasks.role, '') != 'control' then arm_tasks.arm
        end as candidate_arm,
        arm_tasks.role is not null as is_oriented
    from arm_tasks
    left join pairs
        on
            arm_tasks.comparative_experiment_id
            = pairs.comparative_experiment_id
            and arm_tasks.evaluator_key = pairs.evaluator_key
            and arm_tasks.arm in (pairs.baseline_arm, pairs.candidate_arm)
    where pairs.comparative_experiment_id is null
),

unpaired_tasks as (
    select
        all_pairs.{{ pair | join(',\n        all_pairs.') }},
        all_pairs.is_oriented,
        count(distinct arm_tasks.task_id) filter (
            where decided_tasks.task_id is null
        ) as unpaired
    from all_pairs
    inner join arm_tasks
        on
            all_pairs.comparative_experiment_id
            = arm_tasks.comparative_experiment_id
            and all_pairs.evaluator_key = arm_tasks.evaluator_key
            and arm_tasks.arm in (
                all_pairs.baseline_arm, all_pairs.candidate_arm
            )
    left join decided_tasks
        on
            {{ agree_on('all_pairs', 'decided_tasks', pair) }}
            and arm_tasks.arm = decided_tasks.arm
            and arm_tasks.task_id = decided_tasks.task_id
    group by
        all_pairs.{{ pair | join(', all_pairs.') }}, all_pairs.is_oriented
),

counted as (
    select
        {{ pair | join(',\n        ') }},
        count(*) as tasks,
        count(*) filter (where preference > 0) as wins,
        count(*) filter (where preference < 0) as losses,
        count(*) filter (where preference = 0) as ties
    from met_tasks
    group by {{ pair | join(', ') }}
),

joined as (
    select
        unpaired_tasks.comparative_experiment_id,
        unpaired_tasks.evaluator_key,
        unpaired_tasks.baseline_arm::json as baseline_arm,
        unpaired_tasks.candidate_arm::json as candidate_arm,
        coalesce(counted.tasks, 0) as tasks,
        coalesce(counted.wins, 0) as wins,
        coalesce(counted.losses, 0) as losses,
        coalesce(counted.ties, 0) as ties,
        unpaired_tasks.unpaired,
        counted.wins::double precision
        / nullif(counted.wins + counted.losses, 0) as win_share,
        unpaired_tasks.is_oriented
    from unpaired_tasks
    left join counted
        on {{ agree_on('unpaired_tasks', 'counted', pair) }}
),

-- the exact interval of the share, for it excludes one half just where the
-- exact test does
tested as (
    select
        comparative_experiment_id,
        evaluator_key,
        baseline_arm ->> 0 as baseline_experiment_id,
        baseline_arm ->> 1 as baseline_group,
        baseline_arm ->> 2 as baseline_version,
        candidate_arm ->> 0 as candidate_experiment_id,
        candidate_arm ->> 1 as candidate_group,
        candidate_arm ->> 2 as candidate_version,
        tasks::integer as tasks,
        wins::integer as wins,
        losses::integer as losses,
        ties::integer as ties,
        unpaired::integer as unpaired,
        win_share,
        case
            when win_share is not null
                then {{ statistical_function('clopper_pearson_lower') }}(
                    wins, wins + losses, {{ var('alpha') }}
                )
        end as win_share_low,
        case
            when win_share is not null
                then {{ statistical_function('clopper_pearson_upper') }}(
                    wins, wins + losses, {{ var('alpha') }}
                )
        end as win_share_high,
        case
            when tasks > 0
                then {{ statistical_function('sign_test_p_value') }}(
                    wins, losses
                )
        end as p_value,
        is_oriented
    from joined
)

select * from tested
