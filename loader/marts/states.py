"""One state of the marts: that of a build that is complete, for all that is asked about.

A build changes one mart after the other, each in a transaction of its own. Who asks about what
it changes waits until it is complete; who asks about other experiments does not. Everything is
then read in one snapshot, of relations that nobody can put others in the place of meanwhile.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from ..errors import WarehouseUnavailable
from ..tools.sql_files import read_sql
from ..warehouse.connection import be_patient
from ..warehouse.lease import dead_build, described
from ..warehouse.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from ..warehouse.connection import Connection

# Neither takes a snapshot: the locks come before it.
_READ_WRITE: Final = "set transaction isolation level repeatable read"
_READ_ONLY: Final = "set transaction isolation level repeatable read, read only"
# Nobody is waited for with a lock in hand, so that nobody waits for this one in a circle.
_LOCK: Final = sql.SQL("lock table {} in access share mode nowait")


def schema_name() -> str:
    """Return the schema of the marts."""
    return os.environ.get("EVALMART_SCHEMA") or "evals"


class _InTheWay(NamedTuple):
    """A build, for which a question cannot be answered from one state."""

    status: str
    holder: Mapping[str, Any]
    started_at: datetime
    is_alive: bool

    def text(self) -> str:
        """Return who builds, or built, and since when."""
        return described(self.holder, self.started_at)

    def refuse_if_over(self) -> None:
        """Raise where there is nothing to wait for."""
        if self.status == "running" and self.is_alive and dead_build(0, self.holder) is None:
            return
        what = (
            "was of some models only, and the marts are of two states"
            if self.status == "complete"
            else "did not finish"
        )
        raise WarehouseUnavailable(f"the last build {what} (by {self.text()}): run evalmart build")


class _Occupied(Exception):  # noqa: N818  it is no error
    """There is a build to wait for."""


@contextmanager
def snapshot(
    connection: Connection,
    experiments: Collection[str] | None = None,
    *,
    writes: bool = False,
    part_will_do: bool = False,
) -> Iterator[None]:
    """Read within it from one state of the marts; within another one, from that one's.

    Args:
        connection: to the warehouse.
        experiments: all that is asked about; None for more than that.
        writes: whether something is written, too.
        part_will_do: whether the caller has built what it reads, and no more.

    Raises:
        WarehouseUnavailable: the build that is waited for takes longer than one waits, or the
            last one did not finish.
        psycopg.Error: as the server says.

    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        with connection.transaction():
            yield
        return
    begin = _READ_WRITE if writes else _READ_ONLY
    asked = None if experiments is None else list(experiments)
    found: list[_InTheWay] = []
    with ExitStack() as stack:

        def attempt() -> bool:
            relations = _relations(connection)
            if relations is None:
                found.clear()
                return False
            names, has_ledger = relations
            try:
                with ExitStack() as tried:
                    tried.enter_context(connection.transaction())
                    connection.execute(begin)
                    be_patient(connection)
                    if names:
                        connection.execute(_LOCK.format(sql.SQL(", ").join(names)))
                    builds = _in_the_way(connection, asked) if has_ledger else []
                    found[:] = [
                        build
                        for build in builds
                        if not (part_will_do and build.status == "complete")
                    ]
                    _raise_if_any(found)
                    stack.push(tried.pop_all())
            except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                found.clear()
                return False
            except _Occupied:
                return False
            return True

        def holder() -> str:
            return found[0].text() if found else "it puts another table in the place of one"

        wait_for(attempt, holder, "the build under way")
        yield


def _raise_if_any(found: Sequence[_InTheWay]) -> None:
    for build in found:
        build.refuse_if_over()
        raise _Occupied


def _relations(connection: Connection) -> tuple[Sequence[sql.Identifier], bool] | None:
    """Return what this role may read of the marts, and whether a ledger of builds is there.

    None where one was replaced while that was asked: what is not locked may be read empty. Asked
    in a transaction of its own, because the first select of one is its snapshot.
    """
    schema = schema_name()
    with connection.transaction():
        row: Any = connection.execute(
            read_sql(__name__, "relations"),
            {"marts": schema, "steps": f"{schema}_functions"},
        ).fetchone()
    names, has_ledger, can_be_told = row
    if not can_be_told:
        return None
    return [sql.Identifier(schema, name) for name in names], has_ledger


def _in_the_way(connection: Connection, asked: Sequence[str] | None) -> list[_InTheWay]:
    """Return the build that is in the way of reading this snapshot, if any is."""
    function = sql.Identifier(f"{schema_name()}_functions", "build_in_the_way")
    query = sql.SQL("select status, holder, started_at, is_alive from {}(%s)").format(function)
    rows: list[Any] = connection.execute(query, [asked]).fetchall()
    return [_InTheWay(*row) for row in rows]
