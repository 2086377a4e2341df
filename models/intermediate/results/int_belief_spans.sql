{#
    Every version of a run, and every score that an author gave a run, with the
    loads between which it was the one that counts of its series: the latest
    that no withdrawal covered then. A withdrawal lets the one before count
    again, so a version may have several spans.

    Without withdrawals a version counts until the next; what only experiments
    with withdrawals need is worked out for those alone.
#}
{%- set series = [
    'experiment_id', 'source', 'source_run_id', 'said_of', 'said_by'
] -%}
{%- set parts = [
    'annotation_id', 'experiment_group', 'extension_version', 'task_id',
    'source_run_id'
] -%}
with

withdrawals as not materialized (
    select * from {{ ref('stg_withdrawals') }}
),

-- place orders the versions of a series; 0 is no annotation
run_versions as (
    select
        experiment_id,
        source,
        source_run_id,
        '' as said_of,
        '' as said_by,
        experiment_group,
        extension_version,
        task_id,
        0::bigint as annotation_id,
        run_version::bigint as place,
        load_id
    from {{ ref('stg_evaluation_runs') }}
),

annotations as (
    select
        experiment_id,
        source,
        source_run_id,
        metric as said_of,
        author as said_by,
        experiment_group,
        extension_version,
        task_id,
        annotation_id,
        annotation_id as place,
        load_id
    from {{ ref('int_annotation_values') }}
),

versions as not materialized (
    select * from run_versions
    union all
    select * from annotations
),

untouched_spans as (
    select
        versions.{{ series | join(',\n        versions.') }},
        versions.place,
        versions.load_id as from_load_id,
        lead(versions.load_id) over (
            partition by versions.{{ series | join(', versions.') }}
            order by versions.place
        ) as to_load_id
    from versions
    where
        versions.experiment_id not in (
            select withdrawals.experiment_id
            from withdrawals
        )
),

touched_versions as not materialized (
    select *
    from versions
    where
        experiment_id in (
            select withdrawals.experiment_id
            from withdrawals
        )
),

-- when another version of a series may begin to count
moments as (
    select
        {{ series | join(',\n        ') }},
        load_id as moment
    from touched_versions
    union distinct
    select
        touched_versions.{{ series | join(',\n        touched_versions.') }},
        withdrawals.load_id as moment
    from touched_versions
    inner join withdrawals
        on
            touched_versions.experiment_id = withdrawals.experiment_id
            and touched_versions.load_id < withdrawals.load_id
),

believed as (
    select
        moments.{{ series | join(',\n        moments.') }},
        moments.moment,
        max(touched_versions.place) as place
    from moments
    left join touched_versions
        on
            {{ agree_on('moments', 'touched_versions', series) }}
            and moments.moment >= touched_versions.load_id
            and not exists (
                select
                from withdrawals
                left join withdrawals as undone
                    on
                        withdrawals.experiment_id = undone.experiment_id
                        and withdrawals.load_id = undone.undone_load_id
                        and moments.moment >= undone.load_id
                where
                    withdrawals.experiment_id = touched_versions.experiment_id
                    and withdrawals.load_id <= moments.moment
                    and withdrawals.undone_load_id is null
                    and undone.load_id is null
                    and {{
                        is_covered('touched_versions', 'withdrawals', parts)
                    }}
            )
    group by moments.{{ series | join(', moments.') }}, moments.moment
),

compared as (
    select
        *,
        lag(place) over (
            partition by {{ series | join(', ') }}
            order by moment
        ) as previous_place
    from believed
),

touched_spans as (
    select
        {{ series | join(',\n        ') }},
        place,
        moment as from_load_id,
        lead(moment) over (
            partition by {{ series | join(', ') }}
            order by moment
        ) as to_load_id
    from compared
    where place is distinct from previous_place
),

spans as (
    select * from untouched_spans
    union all
    select * from touched_spans
    where place is not null
)

select * from spans
