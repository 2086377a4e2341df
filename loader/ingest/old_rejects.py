"""Retention of rejected rows: their texts go, and the ledger still counts them.

A rejected row is as old as its load. Loads, their counts and everything that marts are built
from stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg.rows import class_row

from ..errors import WarehouseUnavailable
from .entries import draw_load_id, write_entry
from .retention import finding, removing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..warehouse.connection import Connection

BATCH_ROWS: Final = 50_000

_FIND: Final = """
select
    now() - make_interval(days => %(days)s) as cutoff,
    count(*) as rows,
    count(distinct rejected.load_id) as loads,
    coalesce(sum(pg_column_size(rejected.payload)), 0)::bigint as size_bytes
from raw_evals.rejected_rows as rejected
inner join raw_evals.loads
    on rejected.load_id = loads.load_id
where loads.finished_at < now() - make_interval(days => %(days)s)
"""
_REMOVE: Final = """
delete from raw_evals.rejected_rows
where
    ctid = any(array(
        select rejected.ctid
        from raw_evals.rejected_rows as rejected
        inner join raw_evals.loads
            on rejected.load_id = loads.load_id
        where loads.finished_at < %(cutoff)s
        limit %(most)s
    ))
"""


class OldRejects(NamedTuple):
    """Rejected rows that a purge removes, or would."""

    cutoff: datetime
    rows: int
    loads: int
    size_bytes: int
    """Of their texts, as they are stored."""


def find(connection: Connection, older_than_days: int) -> OldRejects:
    """Find the rejected rows of loads that are past retention.

    Args:
        connection: to a migrated warehouse.
        older_than_days: age at which they go; at least 1.

    Raises:
        ConfigurationError: the age leads out of the calendar, or raw_evals is older.
        WarehouseUnavailable: the server fails or forbids it.

    """
    with finding(older_than_days):
        cursor = connection.cursor(row_factory=class_row(OldRejects))
        found = cursor.execute(_FIND, {"days": older_than_days}).fetchone()
    if found is None:
        raise WarehouseUnavailable("an aggregate returned no row")
    return found


def remove(connection: Connection, cutoff: datetime, batch_rows: int = BATCH_ROWS) -> Iterator[int]:
    """Remove the rejected rows of loads before a time; yield how many each batch took.

    A batch is a transaction that enters into the ledger what it took.

    Args:
        connection: in autocommit mode.
        cutoff: as `find` says it.
        batch_rows: how many go at once.

    Raises:
        WarehouseUnavailable: the server fails or forbids it; earlier batches stay removed.

    """
    while True:
        with removing(), connection.transaction():
            load_id = draw_load_id(connection)
            values = {"cutoff": cutoff, "most": batch_rows}
            count = connection.execute(_REMOVE, values).rowcount
            if not count:
                raise psycopg.Rollback
            told = {"rejects_before": cutoff.isoformat(), "rejects": count}
            write_entry(connection, load_id, "purge", told, experiments=())
        if not count:
            return
        yield count
