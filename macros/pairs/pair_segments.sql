-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `tasks` to `segments`: the segments that each task is in,
    apart from those of all tasks. A segment stands in an index entry: a longer
    name is cut, and told from others by its hash. Of an array the first hundred
    count, so that one task does not make a million segments.
#}
{% macro pair_segments() -%}
task_labels as (
    select
        tasks.pair_number,
        tasks.experiment_id,
        tasks.candidate_group,
        tasks.candidate_version,
        labels.kind,
        labels.label
    from tasks
    cross join
        lateral
        (
            values
            ('agent', to_jsonb(tasks.agent_name)),
            ('category', tasks.category),
            ('split', tasks.split)
        ) as labels (kind, label)
    where labels.label is not null
),

-- an array of categories, or of splits, puts its task into each of them
task_segments as (
    select distinct
        task_labels.pair_number,
        task_labels.experiment_id,
        task_labels.candidate_group,
        task_labels.candidate_version,
        task_labels.kind || ':'
        || case
            when octet_length(names.name) <= 300 then names.name
            else left(names.name, 60) || '… ' || md5(names.name)
        end as segment
    from task_labels
    cross join
        lateral
        jsonb_array_elements_text(
            case jsonb_typeof(task_labels.label)
                when 'array' then task_labels.label
                when 'string' then jsonb_build_array(task_labels.label)
                when 'number' then jsonb_build_array(task_labels.label)
                when 'boolean' then jsonb_build_array(task_labels.label)
                else '[]'
            end
        )
        with ordinality as names (name, place)
    where names.name != '' and names.place <= 100
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
