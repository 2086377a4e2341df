{#
    A view, so that it costs nothing until somebody asks: every version of a run
    is in raw, and a version is believed until the next one is loaded.
#}
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
            undeclared_keys(ref('stg_evaluation_runs')),
        )
    }}
),

run_versions as (
    select
        experiment_id,
        source,
        source_run_id,
        run_version,
        lead(load_id) over (
            partition by experiment_id, source, source_run_id
            order by run_version
        ) as next_load_id
    from {{ ref('stg_evaluation_runs') }}
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

dated as (
    select
        resolved.experiment_id,
        resolved.source,
        resolved.source_run_id,
        resolved.task_id,
        resolved.experiment_group,
        resolved.extension_version,
        coalesce(resolved.agent_name, 'unknown') as agent_name,
        resolved.metric,
        resolved.kind,
        resolved.run_version,
        resolved.load_id,
        run_versions.next_load_id,
        {{ function('to_double') }}(resolved.value) as value,
        run_versions.next_load_id is null as is_current,
        loads.finished_at as valid_from,
        next_loads.finished_at as valid_to
    from resolved
    inner join run_versions
        on
            resolved.experiment_id = run_versions.experiment_id
            and resolved.source = run_versions.source
            and resolved.source_run_id = run_versions.source_run_id
            and resolved.run_version = run_versions.run_version
    inner join loads
        on resolved.load_id = loads.load_id
    left join loads as next_loads
        on run_versions.next_load_id = next_loads.load_id
)

select * from dated
