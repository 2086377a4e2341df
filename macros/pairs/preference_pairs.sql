-- sqlfluff:exclude_rules:LT02
{#
    The step of pairwise_preferences from `arm_scores`, an arm's mean score at a
    meeting, to `pairs` and `met_tasks`: which arms met, which of them is the
    baseline, and who was preferred on each task. An arm is told from others by
    the text `arm`.
#}
{% macro preference_pairs() -%}
{%- set pair = [
    'comparative_experiment_id', 'evaluator_key', 'baseline_arm',
    'candidate_arm',
] -%}
meetings as (
    select
        baselines.comparative_experiment_id,
        baselines.evaluator_key,
        baselines.arm as baseline_arm,
        candidates.arm as candidate_arm,
        baselines.task_id as baseline_task_id,
        candidates.task_id as candidate_task_id,
        sign(candidates.score - baselines.score) as preference,
        coalesce(
            baselines.role = 'control' and candidates.role = 'treatment', false
        ) as is_oriented
    from arm_scores as baselines
    inner join arm_scores as candidates
        on
            {{ agree_on('baselines', 'candidates', [
                'comparative_experiment_id', 'evaluator_key', 'meeting',
            ]) }}
            and baselines.arm != candidates.arm
    where
        -- roles say which is the baseline; where they do not, the alphabet does
        case
            when baselines.role = 'control' and candidates.role = 'treatment'
                then true
            when baselines.role = 'treatment' and candidates.role = 'control'
                then false
            else baselines.arm collate "C" < candidates.arm collate "C"
        end
),

pairs as (
    select
        {{ pair | join(',\n        ') }},
        bool_and(is_oriented) as is_oriented
    from meetings
    group by {{ pair | join(', ') }}
),

-- several comparisons of a task count as one, by what they come to
met_tasks as (
    select
        {{ pair | join(',\n        ') }},
        candidate_task_id,
        sign(sum(preference)) as preference
    from meetings
    where preference is not null
    group by {{ pair | join(', ') }}, candidate_task_id
),

-- both names of a task, should the arms have two
decided_tasks as (
    select
        {{ pair | join(',\n        ') }},
        baseline_arm as arm,
        baseline_task_id as task_id
    from meetings
    where preference is not null
    union distinct
    select
        {{ pair | join(',\n        ') }},
        candidate_arm as arm,
        candidate_task_id as task_id
    from meetings
    where preference is not null
)
{%- endmacro %}
