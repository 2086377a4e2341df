"""Locks of one database: who waits for whom. Only who may write can hold one.

They are locks of tables on which nobody else has a right, and end with the transaction, so that
they hold through a pooler. An advisory lock is anyone's: one `select` of a reader would stop
every load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import WarehouseUnavailable
from ..tools.sql_files import read_sql
from .connection import be_patient
from .waiting import holder_text

if TYPE_CHECKING:
    from datetime import datetime

    from .connection import Connection

PATIENCE_MS: Final = 1000
"""How long the server waits before it says that it is not somebody's turn yet."""


def try_draw(connection: Connection, patience_ms: int = 0) -> int | None:
    """Take the turn of loads if it comes within some time, and draw an id; None if not."""
    row = connection.execute("select raw_evals.draw_load_id(%s)", [patience_ms]).fetchone()
    if row is None:
        raise WarehouseUnavailable("a function returned no row")
    return None if row[0] is None else int(str(row[0]))


def load_holder(connection: Connection) -> str | None:
    """Tell who has the turn of loads, and since when."""
    return _holder(connection, "load_turn", "ExclusiveLock")


def schema_holder(connection: Connection) -> str | None:
    """Tell who uses the raw schema, and since when: of several the one who does so longest."""
    return _holder(connection, None, None)


def _holder(connection: Connection, table: str | None, mode: str | None) -> str | None:
    row = connection.execute(
        read_sql(__name__, "lock_holder"), {"table": table, "mode": mode}
    ).fetchone()
    if row is None:
        return None
    name, since, user, pid = row
    moment: datetime | None = since  # type: ignore[assignment]
    return holder_text(str(name or ""), moment, user=str(user), pid=int(str(pid)))


def lock_schema(connection: Connection) -> None:
    """Keep every other `init` out until the transaction ends; later locks wait shortly, too.

    Args:
        connection: inside a transaction; `raw_evals.schema_version` is there.

    Raises:
        psycopg.errors.LockNotAvailable: somebody else is in the way.

    """
    connection.execute("lock table raw_evals.schema_version in exclusive mode")


def wait_shortly(connection: Connection) -> None:
    """Let no lock of the transaction be waited for longer than a moment, and no timeout end it."""
    be_patient(connection)
    connection.execute(f"set local lock_timeout = {PATIENCE_MS}".encode())
