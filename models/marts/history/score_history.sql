{#
    A view, so that it costs nothing until somebody asks: every version of a run
    is in raw, and so is what people said and what was withdrawn.
#}
{#- what counts now says of which keys nobody knows the scale -#}
{%- set current_runs -%}
    (
        select runs.*
        from {{ ref('stg_evaluation_runs') }} as runs
        inner join {{ ref('int_belief_spans') }} as spans
            on
                runs.experiment_id = spans.experiment_id
                and runs.source = spans.source
                and runs.source_run_id = spans.source_run_id
                and runs.run_version = spans.place
        where spans.said_by = '' and spans.to_load_id is null
    )
{%- endset -%}
{{
    config(
        materialized="view",
        contract={"enforced": false},
    )
}}

with

loads as (
    select * from {{ ref('stg_loads') }}
),

annotations as not materialized (
    select * from {{ ref('int_annotation_values') }}
),

run_values as (
    {{
        run_values(
            ref('stg_evaluation_runs'),
            [
                'experiment_id',
                'source',
                'source_run_id',
                'task_id',
                'experiment_group',
                'extension_version',
                'agent_name',
                'run_version',
                'load_id',
            ],
            undeclared_keys(current_runs),
        )
    }}
),

spans as not materialized (
    select * from {{ ref('int_belief_spans') }}
),

-- a name that is score and measurement at once counts as the score
resolved as (
    select distinct on (
        experiment_id, source, source_run_id, run_version, metric
    ) *
    from run_values
    order by
        experiment_id asc,
        source asc,
        source_run_id asc,
        run_version asc,
        metric asc,
        array_position(
            array['field', 'score', 'measurement'], value_source
        ) asc
),

recorded as (
    select
        resolved.experiment_id,
        resolved.source,
        resolved.source_run_id,
        resolved.task_id,
        resolved.experiment_group,
        resolved.extension_version,
        resolved.agent_name,
        resolved.metric,
        resolved.kind,
        resolved.value_source,
        resolved.run_version,
        resolved.load_id,
        resolved.value,
        null::text as author,
        null::text as reason,
        null::bigint as annotation_id,
        spans.from_load_id,
        spans.to_load_id
    from resolved
    inner join spans
        on
            resolved.experiment_id = spans.experiment_id
            and resolved.source = spans.source
            and resolved.source_run_id = spans.source_run_id
            and spans.said_by = ''
            and resolved.run_version = spans.place
),

annotated as (
    select
        annotations.experiment_id,
        annotations.source,
        annotations.source_run_id,
        annotations.task_id,
        annotations.experiment_group,
        annotations.extension_version,
        runs.agent_name,
        annotations.metric,
        'score' as kind,
        'annotation' as value_source,
        null::integer as run_version,
        annotations.load_id,
        annotations.value,
        annotations.author,
        annotations.reason,
        annotations.annotation_id,
        spans.from_load_id,
        spans.to_load_id
    from annotations
    inner join spans
        on
            annotations.experiment_id = spans.experiment_id
            and annotations.source = spans.source
            and annotations.source_run_id = spans.source_run_id
            and annotations.metric = spans.said_of
            and annotations.author = spans.said_by
            and annotations.annotation_id = spans.place
    left join
        lateral (
            select versions.agent_name
            from {{ ref('stg_evaluation_runs') }} as versions
            where
                versions.experiment_id = annotations.experiment_id
                and versions.source = annotations.source
                and versions.source_run_id = annotations.source_run_id
            order by versions.run_version desc
            limit 1
        ) as runs
        on true
),

all_versions as (
    select * from recorded
    union all
    select * from annotated
),

dated as (
    select
        all_versions.experiment_id,
        all_versions.source,
        all_versions.source_run_id,
        all_versions.task_id,
        all_versions.experiment_group,
        all_versions.extension_version,
        coalesce(all_versions.agent_name, 'unknown') as agent_name,
        all_versions.metric,
        all_versions.kind,
        all_versions.value_source,
        all_versions.author,
        all_versions.reason,
        all_versions.annotation_id,
        all_versions.run_version,
        all_versions.load_id,
        all_versions.to_load_id as next_load_id,
        {{ function('to_double') }}(all_versions.value) as value,
        all_versions.to_load_id is null as is_current,
        loads.finished_at as valid_from,
        next_loads.finished_at as valid_to
    from all_versions
    inner join loads
        on all_versions.from_load_id = loads.load_id
    left join loads as next_loads
        on all_versions.to_load_id = next_loads.load_id
)

select * from dated
