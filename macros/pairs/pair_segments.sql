-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `tasks` to `segments`: the segments that each task is in,
    apart from those of all tasks.
#}
{% macro pair_segments() -%}
-- an array of categories puts its task into each of them
task_segments as (
    select
        pair_number,
        experiment_id,
        candidate_group,
        candidate_version,
        'agent:' || agent_name as segment
    from tasks
    where agent_name is not null
    union distinct
    select
        tasks.pair_number,
        tasks.experiment_id,
        tasks.candidate_group,
        tasks.candidate_version,
        'category:' || categories.category as segment
    from tasks
    cross join
        lateral
        jsonb_array_elements_text(
            case jsonb_typeof(tasks.category)
                when 'array' then tasks.category
                when 'string' then jsonb_build_array(tasks.category)
                when 'number' then jsonb_build_array(tasks.category)
                when 'boolean' then jsonb_build_array(tasks.category)
                else '[]'
            end
        ) as categories (category)
    where categories.category != ''
),

segment_sizes as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        segment,
        count(*) as task_count
    from task_segments
    group by experiment_id, candidate_group, candidate_version, segment
),

comparison_sizes as (
    select
        experiment_id,
        candidate_group,
        candidate_version,
        count(*) as task_count
    from tasks
    group by experiment_id, candidate_group, candidate_version
),

-- a segment of all tasks says what the whole says, and is not computed again
segments as (
    select
        task_segments.pair_number,
        array_agg(task_segments.segment order by task_segments.segment)
        filter (
            where segment_sizes.task_count < comparison_sizes.task_count
        ) as segments,
        array_agg(task_segments.segment order by task_segments.segment)
        filter (
            where segment_sizes.task_count = comparison_sizes.task_count
        ) as whole_segments
    from task_segments
    inner join segment_sizes
        on
            {{
                is_same_comparison(
                    'task_segments', 'segment_sizes', ['segment']
                )
            }}
    inner join comparison_sizes
        on {{ is_same_comparison('task_segments', 'comparison_sizes') }}
    group by task_segments.pair_number
)
{%- endmacro %}
