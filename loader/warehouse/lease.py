"""The lease of whoever builds the marts: a row that is renewed, and lost when it is not.

Everything happens in short transactions of their own, so it works through a pooler in
transaction mode and whatever timeouts the server has. Who loses the lease ends at once; what
it had begun is never committed.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from ..errors import ConfigurationError, LoaderError, WarehouseUnavailable
from ..show.guarded import tell
from .connection import be_patient, connect
from .waiting import application_name, holder_text, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from .connection import Connection

TOKEN: Final = "EVALMART_BUILD"  # noqa: S105  names a build, opens nothing
"""The environment variable by which dbt's hooks know the build that they are part of."""
_SILENT_SECONDS: Final = 60.0
"""As in `raw_evals.running_build`: who is silent for longer has lost the lease."""
_RENEWED_EVERY: Final = 5.0
_TRIED_AGAIN_AFTER: Final = 1.0
# so much earlier than anybody may take it over, a holder stops
_RESERVE: Final = 10.0
_STATEMENT_SECONDS: Final = 20
_UNAVAILABLE: Final = 4


class Taken(NamedTuple):
    """What `raw_evals.take_build` answers."""

    is_taken: bool
    build_id: int
    holder: Mapping[str, Any]
    started_at: datetime
    lost_build_id: int | None
    lost_holder: Mapping[str, Any] | None
    lost_started_at: datetime | None


class Lease:
    """The lease as its holder knows it; renewed by a thread of its own until it is given back."""

    def __init__(self, marts: str, database_url: str | None = None) -> None:
        """Nothing is taken yet."""
        self._marts = marts
        self._target = _fixed(database_url)
        self.token = uuid.uuid4().hex
        self._name = application_name("build")
        self.sessions = application_name(f"build {self.token[:8]}")
        self._build_id = 0
        self._in_the_way: Taken | None = None
        self._good_until = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="evalmart-lease", daemon=True)

    def take(self) -> None:
        """Take it, waiting for who has it; one that is dead is said and taken over.

        Raises:
            ConfigurationError: the raw schema is of another version.
            WarehouseUnavailable: another build goes on for longer than one waits.

        """
        wait_for(self._try, self._holder, "another build of this database")
        self._thread.start()

    def is_held(self) -> bool:
        """Whether nobody else can have it yet, by this machine's clock."""
        return _now() < self._good_until

    def give_back(self) -> None:
        """End the renewals; a build that dbt did not close has failed."""
        self._is_over.set()
        self._thread.join()
        with suppress(LoaderError, psycopg.Error), self._connected() as connection:
            connection.execute(
                self._on_ledger(
                    "update {builds} set status = 'failed', finished_at = clock_timestamp()"
                    " where build_id = %s and status = 'running'"
                ),
                [self._build_id],
            )

    def _try(self) -> bool:
        dead = None if self._in_the_way is None else dead_build(*self._in_the_way[1:3])
        asked_at = _now()
        try:
            with self._connected() as connection:
                row: Any = connection.execute(
                    "select is_taken, build_id, holder, started_at, lost_build_id, lost_holder,"
                    " lost_started_at from raw_evals.take_build(%s, %s, %s)",
                    [self._marts, Jsonb(self._told()), dead],
                ).fetchone()
                taken = Taken(*row)
                if taken.lost_holder is not None:
                    _end_sessions(connection, taken.lost_holder)
        except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
            raise ConfigurationError(
                "this database has no raw schema, or an older one; run `evalmart init`"
            ) from None
        except psycopg.Error as error:
            message = error.diag.message_primary or str(error)
            raise WarehouseUnavailable(f"the build could not begin: {message}") from error
        self._in_the_way = taken
        if not taken.is_taken:
            return dead_build(taken.build_id, taken.holder) is not None and self._try()
        self._build_id = taken.build_id
        self._good_until = asked_at + _SILENT_SECONDS - _RESERVE
        if taken.lost_holder is not None:
            lost = described(taken.lost_holder, taken.lost_started_at)
            tell(f"a build before did not finish and is taken over: {lost}")
        return True

    def _holder(self) -> str | None:
        found = self._in_the_way
        return None if found is None else described(found.holder, found.started_at)

    def _told(self) -> dict[str, object]:
        return {
            "name": self._name,
            "token": self.token,
            "sessions": self.sessions,
            "renews": True,
            "place": _place(),
            "pid": os.getpid(),
            "began": _began(os.getpid()),
        }

    def _renew(self) -> None:
        pause = _RENEWED_EVERY
        while not self._is_over.wait(pause):
            asked_at = _now()
            status = self._renewed()
            if status == "running":
                self._good_until = asked_at + _SILENT_SECONDS - _RESERVE
            elif status == "lost":
                _end("another build took over this one: it had not been heard of for a minute")
            elif status is not None:
                return  # dbt has closed it
            elif not self.is_held():
                _end("the database does not answer, so this build may be another's by now")
            pause = _RENEWED_EVERY if status else _TRIED_AGAIN_AFTER

    def _renewed(self) -> str | None:
        """Renew; return the status that the build has, None where the server does not answer."""
        with suppress(LoaderError, psycopg.Error), self._connected() as connection:
            row = connection.execute(
                self._on_ledger(
                    "update {builds} set renewed_at = clock_timestamp()"
                    " where build_id = %s and status = 'running' returning status"
                ),
                [self._build_id],
            ).fetchone()
            if row is None:
                row = connection.execute(
                    self._on_ledger("select status from {builds} where build_id = %s"),
                    [self._build_id],
                ).fetchone()
            return "lost" if row is None else str(row[0])
        return None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with connect(self._target, statement_seconds=_STATEMENT_SECONDS) as connection:
            be_patient(connection)
            yield connection

    def _on_ledger(self, text: str) -> sql.Composed:
        ledger = sql.Identifier(f"{self._marts}_staging", "builds")
        return sql.SQL(text).format(builds=ledger)


@contextmanager
def held(marts: str, database_url: str | None = None) -> Iterator[Lease]:
    """Hold the lease of the marts of a schema; dbt's hooks find it by the environment."""
    lease = Lease(marts, database_url)
    lease.take()
    os.environ[TOKEN] = lease.token
    try:
        yield lease
    finally:
        del os.environ[TOKEN]
        lease.give_back()


def described(holder: Mapping[str, Any], since: datetime | None) -> str:
    """Return who builds, or built, as one line."""
    return holder_text(str(holder.get("name", "")), since, user=holder.get("user"))


def dead_build(build_id: int, holder: Mapping[str, Any]) -> int | None:
    """Return the id of a build whose process was on this machine and is gone; else None."""
    if not holder.get("place") or holder["place"] != _place():
        return None
    return None if _began(int(holder["pid"])) == holder.get("began") else build_id


def _fixed(database_url: str | None) -> str:
    """Return a connection string that means the same whatever becomes of the environment."""
    with connect(database_url) as connection:
        told = connection.info
        password = {"password": told.password} if told.password else {}
        named: dict[str, str | int | None] = {
            **told.get_parameters(),
            "host": told.host,
            "port": told.port,
            "user": told.user,
            "dbname": told.dbname,
            **password,
        }
        return make_conninfo("", **named)


def _end_sessions(connection: Connection, lost: Mapping[str, Any]) -> None:
    """End what a lost build's sessions may still be doing, where this role may."""
    if not lost.get("renews"):
        return
    with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname ="
            " current_database() and application_name = %s and pid <> pg_backend_pid()",
            [str(lost["sessions"])],
        )


def _end(message: str) -> None:
    """End this process at once: whatever it does now, it does as two builds."""
    tell(f"Error: {message}")
    os._exit(_UNAVAILABLE)


def _now() -> float:
    """Return seconds that also pass while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _place() -> str:
    """Return where process ids mean what they mean here: a boot and its namespace of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """Return when a process began, in the kernel's own count; empty where there is none."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]
