"""SQL of a load; `loader.ingest.writer` says in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql

from ..records.canonical import COLUMNS, NARROW_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..warehouse.connection import Connection

COLUMN_LIST: Final = ", ".join((*COLUMNS, "content_hash"))
CREATE_INCOMING: Final = f"""
create temporary table incoming on commit drop as
select {COLUMN_LIST}
from raw_evals.evaluation_runs
with no data;

alter table incoming
add column ordinal bigint generated always as identity,
alter column score_scales set default '{{}}'
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
CREATE_CONTENTS: Final = """
create temporary table incoming_contents (content_id uuid, content jsonb) on commit drop
"""
INSERT_CONTENTS: Final = """
insert into raw_evals.contents (content_id, content, load_id)
select distinct on (content_id) content_id, content, %(load_id)s
from incoming_contents
order by content_id
on conflict (content_id) do nothing
"""
INSERT_RUNS: Final = f"""
insert into raw_evals.evaluation_runs ({COLUMN_LIST}, load_id, run_version, source)
select {", ".join(f"incoming.{name}" for name in (*COLUMNS, "content_hash"))},
    %(load_id)s, decided.run_version, %(source)s
from incoming
inner join decided on incoming.ordinal = decided.ordinal
where decided.run_version is not null
"""  # noqa: S608
COLLECT_TOUCHED: Final = """
insert into touched
select distinct incoming.experiment_id, incoming.baseline_experiment_id
from incoming
inner join decided on incoming.ordinal = decided.ordinal
where decided.run_version is not null
"""
COUNT_DECIDED: Final = """
select
    count(run_version),
    count(*) filter (where run_version > 1),
    count(*) filter (where run_version is null)
from decided
"""
INSERT_TOUCHED: Final = """
insert into raw_evals.load_experiments (load_id, experiment_id, baseline_experiment_id)
select distinct %(load_id)s::bigint, experiment_id, baseline_experiment_id
from touched
"""
INSERT_LOAD: Final = """
insert into raw_evals.loads (
    load_id, source, source_ref, experiment_id, loader_version,
    rows_read, rows_loaded, rows_unchanged, rows_rejected, values_set_aside,
    reject_counts, rejects_left_out
)
values (
    %(load_id)s, %(source)s, %(source_ref)s, %(experiment_id)s, %(loader_version)s,
    %(read)s, %(loaded)s, %(unchanged)s, %(rejected)s, %(set_aside)s,
    %(reject_counts)s, %(rejects_left_out)s
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
INSERT_REJECTED_ROW: Final = """
insert into raw_evals.rejected_rows (
    load_id, origin, row_number, reason_code, reason, payload
)
values (%(load_id)s, %(origin)s, %(row)s, %(reason_code)s, %(reason)s, %(payload)s)
"""


class CopyRuns(NamedTuple):
    """A COPY of runs in binary."""

    statement: str
    field_count: int


def copy_runs(*, is_straight: bool, is_wide: bool) -> CopyRuns:
    """Return the COPY of runs into raw, or into the staging table.

    Args:
        is_straight: into raw; each row is followed by load_id, run_version and source.
        is_wide: of all columns; else of those that are not extra.

    """
    columns = [*(COLUMNS if is_wide else NARROW_COLUMNS), "content_hash"]
    table = "incoming"
    if is_straight:
        table = "raw_evals.evaluation_runs"
        columns += ["load_id", "run_version", "source"]
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    return CopyRuns(statement, len(columns))


def copy_rows(connection: Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Copy rows into a temporary table of the load."""
    statement = sql.SQL("copy {} from stdin").format(sql.Identifier(table))
    with connection.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
