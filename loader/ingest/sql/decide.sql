-- A record is loaded when its content was never stored for its run, or when it is the last
-- of its run in this load and differs from the run's current version: A, B, A ends as A.
-- Before migration 3 a record that did not say `success` was stored as true: such a record
-- counts as stored where its opposite hash is (see `loader.records.canonical`), unless it is itself.
-- A version that was withdrawn is not there, but its number is taken.
-- Of a file that was loaded before only content that was never stored is loaded: it takes
-- nothing back. A record that has an earlier time than what there is of its run supersedes
-- nothing; it is here without a version, to be told of.
create temporary table decided on commit drop as
with

repeated as (
    select
        first_ordinal,
        last_ordinal
    from
        unnest(
            %(first_repeated)s::bigint[], %(last_repeated)s::bigint[]
        ) as ranges (first_ordinal, last_ordinal)
),

known as (
    select
        runs.experiment_id,
        runs.source_run_id,
        runs.content_hash,
        runs.run_version,
        runs.recorded_at,
        runs.success and runs.loaded_at < (
            select applied_at from raw_evals.schema_version
            where version = 3
        ) as may_be_unsaid,
        runs.experiment_id in (select experiment_id from raw_evals.withdrawals)
        and exists (
            select from raw_evals.withdrawn_versions as withdrawn
            where
                withdrawn.experiment_id = runs.experiment_id
                and withdrawn.source = runs.source
                and withdrawn.source_run_id = runs.source_run_id
                and withdrawn.run_version = runs.run_version
        ) as is_withdrawn
    from raw_evals.evaluation_runs as runs
    where
        runs.source = %(source)s
        and exists (
            select from incoming
            where
                incoming.experiment_id = runs.experiment_id
                and incoming.source_run_id = runs.source_run_id
        )
),

latest as (
    select
        experiment_id,
        source_run_id,
        max(run_version) as run_version,
        (
            array_agg(content_hash order by run_version desc)
            filter (where not is_withdrawn)
        )[1] as content_hash,
        (
            array_agg(recorded_at order by run_version desc)
            filter (where not is_withdrawn)
        )[1] as recorded_at
    from known
    group by experiment_id, source_run_id
),

contents as (
    select
        experiment_id,
        source_run_id,
        content_hash,
        min(run_version) as run_version,
        bool_or(may_be_unsaid) as may_be_unsaid
    from known
    where not is_withdrawn
    group by experiment_id, source_run_id, content_hash
),

arrived as (
    select
        incoming.ordinal,
        incoming.experiment_id,
        incoming.source_run_id,
        incoming.recorded_at,
        case
            when same.content_hash is null
                then coalesce(unsaid.content_hash, incoming.content_hash)
            else incoming.content_hash
        end as content_hash
    from incoming
    left join contents as same
        on
            incoming.experiment_id = same.experiment_id
            and incoming.source_run_id = same.source_run_id
            and incoming.content_hash = same.content_hash
    left join contents as unsaid
        on
            incoming.experiment_id = unsaid.experiment_id
            and incoming.source_run_id = unsaid.source_run_id
            and incoming.success is null
            and unsaid.may_be_unsaid
            and unsaid.content_hash = translate(
                incoming.content_hash::text, '0123456789abcdef', 'fedcba9876543210'
            )::uuid
),

timed as (
    select
        arrived.*,
        coalesce(
            %(by_time)s
            and arrived.recorded_at < greatest(
                latest.recorded_at,
                max(arrived.recorded_at) over (
                    partition by arrived.experiment_id, arrived.source_run_id
                    order by arrived.ordinal
                    rows between unbounded preceding and 1 preceding
                )
            ),
            false
        ) as is_older
    from arrived
    left join latest
        on
            arrived.experiment_id = latest.experiment_id
            and arrived.source_run_id = latest.source_run_id
),

ranked as (
    select
        ordinal,
        experiment_id,
        source_run_id,
        content_hash,
        row_number() over (
            partition by experiment_id, source_run_id, content_hash
            order by ordinal
        ) = 1 as is_first_of_content,
        lead(ordinal) over (
            partition by experiment_id, source_run_id
            order by ordinal
        ) is null as is_last_of_run
    from timed
    where not is_older
),

compared as (
    select
        ranked.ordinal,
        ranked.experiment_id,
        ranked.source_run_id,
        ranked.content_hash,
        ranked.is_last_of_run,
        coalesce(latest.run_version, 0) as latest_version,
        latest.content_hash as latest_hash,
        ranked.is_first_of_content and contents.run_version is null as is_new
    from ranked
    left join latest
        on
            ranked.experiment_id = latest.experiment_id
            and ranked.source_run_id = latest.source_run_id
    left join contents
        on
            ranked.experiment_id = contents.experiment_id
            and ranked.source_run_id = contents.source_run_id
            and ranked.content_hash = contents.content_hash
),

counted as (
    select
        *,
        count(*) filter (where is_new) over (
            partition by experiment_id, source_run_id
            order by ordinal
        ) as new_count
    from compared
),

judged as (
    select
        *,
        case
            when new_count = 0 then latest_hash
            else first_value(content_hash) over (
                partition by experiment_id, source_run_id, new_count
                order by ordinal
            )
        end as current_hash
    from counted
)

select
    ordinal,
    latest_version + new_count + case when is_new then 0 else 1 end as run_version
from judged
where
    is_new
    or (
        is_last_of_run
        and content_hash != current_hash
        and not exists (
            select from repeated
            where
                judged.ordinal >= repeated.first_ordinal
                and judged.ordinal <= repeated.last_ordinal
        )
    )
union all
select
    ordinal,
    null as run_version
from timed
where is_older
