-- sqlfluff:exclude_rules:LT02
{#
    Second step, from `tasks` to `segments`: the segments that each task is in,
    apart from those of all tasks.
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
    where labels.label is not null and not tasks.is_quarantined
),

-- an array of categories, or of splits, puts its task into each of them
task_segments as (
    select distinct
        task_labels.pair_number,
        task_labels.experiment_id,
        task_labels.candidate_group,
        task_labels.candidate_version,
        {{ segment_name('task_labels.kind', 'names.name') }} as segment
    from task_labels
    cross join lateral {{ label_names('task_labels.label') }}
    where {{ is_segment_name() }}
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
    where not is_quarantined
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
