"""Schemas that live no longer than the process that made them.

A process that is killed drops nothing. So each such schema carries a lease: who holds it, and
when that was last said, which its process does again and again while it lives. Whoever comes
next drops what nobody holds, and says so. A lease is a row, written in short transactions: it
means the same through any pooler, and on any machine.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from ..errors import LoaderError, WarehouseUnavailable
from .connection import connect
from .project import home_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .connection import Connection

LAYERS: Final = ("", "_staging", "_intermediate", "_functions")
"""What follows the name of the marts' schema in those of all that a build makes."""
PARENT: Final = "EVALMART_ENDS_WITH"
"""The environment variable that names the process whose end ends a build."""
_RENEW_SECONDS: Final = 20.0
_STALE_SECONDS: Final = 600.0
"""Nobody on another machine is silent for so long and alive; on this one, it is looked up."""
_NAMES: Final = re.compile(r"(.+_as_of_[0-9a-f]{12})(?:_staging|_intermediate|_functions)?")
_LEASE: Final = """
create table {lease} (
    machine text not null,
    pid integer not null,
    process_began text not null,
    renewed_at timestamptz not null default clock_timestamp()
)
"""
_log = logging.getLogger(__name__)


@contextmanager
def held(schema: str, database_url: str | None) -> Iterator[None]:
    """Make the staging schema of a temporary warehouse and hold it; drop all of it on exit.

    Also on exit by SIGTERM and SIGHUP, where the program has no other plans for them.

    Args:
        schema: that of the marts, not there yet; its name ends in `_as_of_` and 12 digits.
        database_url: see `loader.warehouse.connection.connection_string`.

    Raises:
        WarehouseUnavailable: the server fails, or this role may not create a schema.
    """
    mark = _mark(schema)
    over = threading.Event()
    renewal = threading.Thread(
        target=_renew, args=(schema, database_url, over), name="evalmart-lease", daemon=True
    )
    try:
        with _ending_by_exception():
            _take(schema, database_url)
            renewal.start()
            yield
    finally:
        over.set()
        try:
            with connect(database_url, autocommit=True) as connection:
                drop(connection, schema)
        except (LoaderError, psycopg.Error) as error:
            # what went wrong before is what has to be heard
            _log.warning("%s is left for the next command to drop: %s", schema, error)
        else:
            mark.unlink(missing_ok=True)


def clear(connection: Connection) -> list[str]:
    """Drop every temporary warehouse that nobody holds any more, and say so.

    Args:
        connection: without an open transaction.

    Returns:
        The schemas of their marts.
    """
    cleared = [schema for schema in _schemas(connection) if _drop_if_left(connection, schema)]
    if cleared:
        names = ", ".join(cleared)
        _log.warning("dropped what processes that were ended had left behind: %s", names)
    return cleared


def clear_after_this_machine(database_url: str | None) -> None:
    """Do as `clear` if a process of this folder has left something; every command begins so.

    Never raises a `LoaderError`: a command that needs the database says itself what is wrong.
    """
    marks = _left_marks()
    if not marks:
        return
    with suppress(LoaderError, psycopg.Error, OSError), connect(database_url) as connection:
        clear(connection)
        place = _place(connection)
        for mark in marks:
            if mark.read_text(encoding="utf-8").splitlines()[-1:] == [place]:
                mark.unlink(missing_ok=True)


def end_with_parent() -> None:
    """End this process soon after the one that started it, if that one wants it so."""
    parent = os.environ.get(PARENT, "")
    if not parent.isdecimal():
        return
    over = threading.Event()

    def watch() -> None:
        while os.getppid() == int(parent):
            over.wait(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="evalmart-parent", daemon=True).start()


def drop(connection: Connection, schema: str) -> None:
    """Drop every schema of a warehouse; one that is not there is fine."""
    for layer in LAYERS:
        name = sql.Identifier(schema + layer)
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(name))


def _take(schema: str, database_url: str | None) -> None:
    lease = _lease(schema)
    try:
        with connect(database_url) as connection:
            # before the schema: who is killed between the two leaves a mark that means nothing
            _keep_mark(schema, _place(connection))
            staging = sql.Identifier(f"{schema}_staging")
            connection.execute(sql.SQL("create schema {}").format(staging))
            connection.execute(sql.SQL(_LEASE).format(lease=lease))
            connection.execute(
                sql.SQL("insert into {} values (%s, %s, %s)").format(lease),
                (_machine(), os.getpid(), _process_began(os.getpid())),
            )
            connection.commit()
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"cannot prepare the marts as of a time: {error}") from error


def _renew(schema: str, database_url: str | None, over: threading.Event) -> None:
    """Say that the lease is held until it is over; the thread's whole life."""
    statement = sql.SQL("update {} set renewed_at = clock_timestamp()").format(_lease(schema))
    while not over.wait(_RENEW_SECONDS):
        with suppress(LoaderError, psycopg.Error), connect(database_url) as connection:
            connection.execute(statement)
            connection.commit()


def _schemas(connection: Connection) -> list[str]:
    """Return the temporary warehouses that this role may drop."""
    with connection.transaction():
        rows = connection.execute(
            "select nspname::text from pg_namespace"
            " where nspname like '%\\_as\\_of\\_%' and pg_has_role(nspowner, 'usage')"
        ).fetchall()
    found = (_NAMES.fullmatch(str(name)) for (name,) in rows)
    return sorted({match[1] for match in found if match is not None})


def _drop_if_left(connection: Connection, schema: str) -> bool:
    try:
        with connection.transaction():
            if _is_held(connection, schema):
                return False
            drop(connection, schema)
    except psycopg.errors.UndefinedTable:
        _begin_lease(connection, schema)
        return False
    except psycopg.Error as error:
        # somebody else is at it, or it is in use after all
        _log.info("%s stays for now: %s", schema, error)
        return False
    return True


def _is_held(connection: Connection, schema: str) -> bool:
    row = connection.execute(
        sql.SQL(
            "select machine, pid, process_began,"
            " extract(epoch from clock_timestamp() - renewed_at)::double precision from {}"
        ).format(_lease(schema))
    ).fetchone()
    if row is None:
        return False
    machine, pid, began, silence = str(row[0]), int(str(row[1])), str(row[2]), float(str(row[3]))
    if machine == _machine():
        return _process_began(pid) == began
    return silence < _STALE_SECONDS


def _begin_lease(connection: Connection, schema: str) -> None:
    """Give time to what has no lease, and so may be of an earlier version that still runs."""
    with suppress(psycopg.Error), connection.transaction():
        staging = sql.Identifier(f"{schema}_staging")
        connection.execute(sql.SQL("create schema if not exists {}").format(staging))
        connection.execute(sql.SQL(_LEASE).format(lease=_lease(schema)))
        statement = sql.SQL("insert into {} values ('', 0, '')").format(_lease(schema))
        connection.execute(statement)


def _lease(schema: str) -> sql.Identifier:
    return sql.Identifier(f"{schema}_staging", "held_by")


def _machine() -> str:
    """Name this machine, and within it what process numbers are counted in."""
    words = [socket.gethostname()]
    with suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        words.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(words)


def _process_began(pid: int) -> str:
    """Say when a process began, in a way that tells it from a later one of its number.

    Returns:
        An empty text if there is no such process.
    """
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        words = []
    except OSError:
        return "unknown"
    if words:
        return "" if words[0] == "Z" else words[19]
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)  # a system without /proc
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "unknown"


def _mark(schema: str) -> Path:
    return home_directory() / "as_of" / schema


def _keep_mark(schema: str, place: str) -> None:
    """Note in evalmart's folder that there is something to drop, and where."""
    mark = _mark(schema)
    with suppress(OSError):  # one that cannot be written to does without
        mark.parent.mkdir(parents=True, exist_ok=True)
        pid = os.getpid()
        mark.write_text(f"{_machine()}\n{pid}\n{_process_began(pid)}\n{place}", encoding="utf-8")


def _left_marks() -> list[Path]:
    """Return the marks of processes of this machine that are gone."""
    left = []
    with suppress(OSError):
        for mark in sorted((home_directory() / "as_of").iterdir()):
            machine, pid, began, *_ = [*mark.read_text(encoding="utf-8").split("\n"), "", "0", ""]
            if machine == _machine() and _process_began(int(pid)) != began:
                left.append(mark)
    return left


def _place(connection: Connection) -> str:
    """Name the database of a connection; no user, no password."""
    info = connection.info
    return f"{info.host}:{info.port}/{info.dbname}"


@contextmanager
def _ending_by_exception() -> Iterator[None]:
    """Let signals that end the program unwind it, where nothing else is done with them."""
    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) is signal.SIG_DFL
    ]

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
