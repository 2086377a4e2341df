"""Retention of inputs and outputs: their bodies go, the runs and the ids that name them stay.

A body's age counts from when it was first kept, whichever runs name it since; a load that
comes after its removal keeps it anew. Nothing that marts are built from is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg.rows import class_row

from ..errors import WarehouseUnavailable
from .entries import draw_load_id, write_entry
from .retention import finding, removing

if TYPE_CHECKING:
    from datetime import datetime

    from ..warehouse.connection import Connection


class OldContents(NamedTuple):
    """Bodies of inputs and outputs that a purge removes, or would."""

    cutoff: datetime
    bodies: int
    size_bytes: int
    """As they are stored."""


def find(connection: Connection, older_than_days: int) -> OldContents:
    """Find the bodies that are past retention.

    Args:
        connection: to a migrated warehouse.
        older_than_days: age at which a body goes; at least 1.

    Raises:
        ConfigurationError: the age leads out of the calendar, or raw_evals is older.
        WarehouseUnavailable: the server fails or forbids it.

    """
    with finding(older_than_days):
        cursor = connection.cursor(row_factory=class_row(OldContents))
        cursor.execute(
            """
            select
                now() - make_interval(days => %(days)s) as cutoff,
                count(*) as bodies,
                coalesce(sum(pg_column_size(content)), 0)::bigint as size_bytes
            from raw_evals.contents
            where kept_at < now() - make_interval(days => %(days)s)
            """,
            {"days": older_than_days},
        )
        found = cursor.fetchone()
    if found is None:
        raise WarehouseUnavailable("an aggregate returned no row")
    return found


def remove(connection: Connection, cutoff: datetime) -> int:
    """Remove the bodies kept before a time, and enter that in the ledger; return how many.

    Args:
        connection: in autocommit mode.
        cutoff: as `find` says it.

    Raises:
        WarehouseUnavailable: the server fails or forbids it; nothing is removed.

    """
    with removing(), connection.transaction():
        load_id = draw_load_id(connection)
        count = connection.execute(
            "delete from raw_evals.contents where kept_at < %s", (cutoff,)
        ).rowcount
        if not count:
            raise psycopg.Rollback
        told = {"contents_before": cutoff.isoformat(), "contents": count}
        write_entry(connection, load_id, "purge", told, experiments=())
    return count
