"""What a load should say of its rows, looked up in the database before they are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..records.form import Aside
from ..records.scales import UNDECLARED
from ..tools.sql_files import read_sql

if TYPE_CHECKING:
    from ..records.form import Asides
    from ..warehouse.connection import Connection

_MOST_DOUBLED: Final = 5


def asides(connection: Connection, load_id: int | None) -> tuple[Asides, int]:
    """Return the undeclared keys of a load, and its records with any value that is no use.

    Args:
        connection: inside the transaction of the load, before staged rows are inserted.
        load_id: the load, None if it has none; rows wait in the table `incoming` besides.

    """
    found: Asides = {}
    records = 0
    for is_total, key, count, low, high in connection.execute(
        read_sql(__name__, "asides"), {"load_id": load_id}
    ).fetchall():
        if is_total:
            records = int(str(count))
        elif key is not None:
            runs, lowest, highest = int(str(count)), float(str(low)), float(str(high))
            found[f"scores.{key}", UNDECLARED] = Aside(runs, lowest, highest)
    return found, records


def doubled_tasks(connection: Connection, load_id: int | None) -> tuple[tuple[str, ...], int]:
    """Return a few tasks that were asked more than one thing under one id, and their number.

    Args:
        connection: as for `asides`; unnamed runs are numbered.
        load_id: as for `asides`.

    """
    rows = connection.execute(
        read_sql(__name__, "doubled_tasks"), {"load_id": load_id, "most": _MOST_DOUBLED}
    ).fetchall()
    return tuple(str(task_id) for task_id, _ in rows), int(str(rows[0][1])) if rows else 0
