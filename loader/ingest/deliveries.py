"""Batches of records that may come twice: by the database and by the spool.

Whoever hands a batch over draws an id for it, which goes with every copy. The load that brings
a batch writes the id, and the primary key lets no second load do so: what comes later is not
taken again, so that it cannot put an old value over a newer one that came in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .entries import server_errors

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..sources import Source
    from ..warehouse.connection import Connection


class AlreadyTaken(Exception):  # noqa: N818  an event of a load, not a fault of the program
    """A batch was taken by another load; of this one nothing is written."""


@runtime_checkable
class Delivering(Protocol):
    """A source whose records were handed over in batches with ids."""

    def deliveries(self) -> Collection[str]:
        """Return the ids of the batches that were read whole."""


def delivered_by(source: Source) -> Collection[str]:
    """Return the ids of the batches of a source that was read."""
    return source.deliveries() if isinstance(source, Delivering) else ()


def taken(connection: Connection, ids: Collection[str]) -> frozenset[str]:
    """Return those of some batches that were taken.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        ids: of the batches.

    Raises:
        ConfigurationError: the raw schema is missing, or older.
        WarehouseUnavailable: the server fails.

    """
    if not ids:
        return frozenset()
    with server_errors(), connection.transaction():
        rows = connection.execute(
            "select delivery_id from raw_evals.deliveries where delivery_id = any(%s::uuid[])",
            [list(ids)],
        ).fetchall()
    return frozenset(str(delivery) for (delivery,) in rows)


def take(connection: Connection, load_id: int, ids: Collection[str]) -> None:
    """Write that a load brings some batches.

    Args:
        connection: inside the transaction of the load, under the lock of loads.
        load_id: the load.
        ids: of the batches.

    Raises:
        AlreadyTaken: another load brought one of them.

    """
    if not ids:
        return
    inserted = connection.execute(
        "insert into raw_evals.deliveries (delivery_id, load_id) "
        "select unnest(%s::uuid[]), %s on conflict do nothing",
        [list(ids), load_id],
    ).rowcount
    if inserted < len(ids):
        raise AlreadyTaken
