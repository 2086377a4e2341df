"""SQL of a load; `loader.ingest.writer` says in which order."""

from __future__ import annotations

from typing import Final

from loader.records.canonical import COLUMNS

COLUMN_LIST: Final = ", ".join((*COLUMNS, "content_hash"))
CREATE_INCOMING: Final = f"""
create temporary table incoming on commit drop as
select {COLUMN_LIST}
from raw_evals.evaluation_runs
with no data;

alter table incoming add column ordinal bigint generated always as identity
"""  # noqa: S608  column names are constants
CREATE_TOUCHED: Final = """
create temporary table touched (
    experiment_id text, baseline_experiment_id text
) on commit drop
"""
CREATE_REJECTED: Final = """
create temporary table rejected on commit drop as
select origin, row_number, reason_code, reason, payload, payload_bytes
from raw_evals.rejected_rows
with no data
"""
COPY_INCOMING: Final = f"copy incoming ({COLUMN_LIST}) from stdin (format binary)"
COPY_RUNS: Final = (
    f"copy raw_evals.evaluation_runs ({COLUMN_LIST}, load_id, run_version, source) "
    "from stdin (format binary)"
)
COLUMN_COUNT: Final = len(COLUMNS) + 1
# A record is loaded when its content was never stored for its run, or when it is the last
# of its run in this load and differs from the run's current version: A, B, A ends as A.
# Before migration 3 a record that did not say `success` was stored as true: such a record
# counts as stored where its opposite hash is (see `loader.records.canonical`), unless it is itself.
DECIDE: Final = """
create temporary table decided on commit drop as
with

known as (
    select
        runs.experiment_id,
        runs.source_run_id,
        runs.content_hash,
        runs.run_version,
        runs.success and runs.loaded_at < (
            select applied_at from raw_evals.schema_version where version = 3
        ) as may_be_unsaid
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
    select distinct on (experiment_id, source_run_id)
        experiment_id,
        source_run_id,
        run_version,
        content_hash
    from known
    order by experiment_id, source_run_id, run_version desc
),

contents as (
    select
        experiment_id,
        source_run_id,
        content_hash,
        min(run_version) as run_version,
        bool_or(may_be_unsaid) as may_be_unsaid
    from known
    group by experiment_id, source_run_id, content_hash
),

arrived as (
    select
        incoming.ordinal,
        incoming.experiment_id,
        incoming.source_run_id,
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
    from arrived
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
where is_new or (is_last_of_run and content_hash <> current_hash)
"""
INSERT_RUNS: Final = f"""
insert into raw_evals.evaluation_runs ({COLUMN_LIST}, load_id, run_version, source)
select {", ".join(f"incoming.{name}" for name in (*COLUMNS, "content_hash"))},
    %(load_id)s, decided.run_version, %(source)s
from incoming
inner join decided on incoming.ordinal = decided.ordinal
"""  # noqa: S608
COLLECT_TOUCHED: Final = """
insert into touched
select distinct incoming.experiment_id, incoming.baseline_experiment_id
from incoming
inner join decided on incoming.ordinal = decided.ordinal
"""
INSERT_TOUCHED: Final = """
insert into raw_evals.load_experiments (load_id, experiment_id, baseline_experiment_id)
select distinct %(load_id)s::bigint, experiment_id, baseline_experiment_id
from touched
"""
# A plan that is as it was is not written again; nor is, with a load, that of an arm of
# which nothing could be loaded.
INSERT_PLANS: Final = """
with

plans as (
    select *
    from
        unnest(
            %(experiments)s::text[],
            %(groups)s::text[],
            %(versions)s::text[],
            %(repetitions)s::integer[],
            %(tasks)s::integer[]
        ) as given (
            experiment_id,
            experiment_group,
            extension_version,
            planned_repetitions,
            planned_tasks
        )
),

latest as (
    select distinct on (experiment_id, experiment_group, extension_version) *
    from raw_evals.arm_plans
    where experiment_id = any(%(experiments)s)
    order by experiment_id, experiment_group, extension_version, load_id desc
)

insert into raw_evals.arm_plans (
    load_id, experiment_id, experiment_group, extension_version,
    planned_repetitions, planned_tasks
)
select
    %(load_id)s,
    plans.experiment_id,
    plans.experiment_group,
    plans.extension_version,
    plans.planned_repetitions,
    plans.planned_tasks
from plans
left join latest
    on
        plans.experiment_id = latest.experiment_id
        and plans.experiment_group = latest.experiment_group
        and plans.extension_version = latest.extension_version
where
    (plans.planned_repetitions, plans.planned_tasks)
    is distinct from (latest.planned_repetitions, latest.planned_tasks)
    and (
        not %(with_runs)s
        or exists (
            select from raw_evals.evaluation_runs as runs
            where
                runs.experiment_id = plans.experiment_id
                and runs.experiment_group = plans.experiment_group
                and runs.extension_version = plans.extension_version
        )
    )
returning experiment_id
"""
INSERT_LOAD: Final = """
insert into raw_evals.loads (
    load_id, source, source_ref, experiment_id, loader_version, started_at, finished_at,
    rows_read, rows_loaded, rows_unchanged, rows_rejected
)
values (
    %(load_id)s, %(source)s, %(source_ref)s, %(experiment_id)s, %(loader_version)s,
    transaction_timestamp(), clock_timestamp(),
    %(read)s, %(loaded)s, %(unchanged)s, %(rejected)s
)
"""
INSERT_REJECTED: Final = """
insert into raw_evals.rejected_rows (
    load_id, origin, row_number, reason_code, reason, payload, payload_bytes
)
select %(load_id)s, origin, row_number, reason_code, reason, payload, payload_bytes
from rejected
where %(with_withheld)s or reason_code <> %(withheld)s
"""
