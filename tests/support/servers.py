"""Real PostgreSQL servers for the tests: the embedded one, and Debian's where installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

import programs
from loader.warehouse import embedded as server

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
_DEBIAN = Path("/usr/lib/postgresql/15/bin")
_SPEED = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def available() -> list[str]:
    """Name the servers these tests can run on: the newest supported, and the oldest."""
    is_oldest_here = (_DEBIAN / "initdb").exists() or programs.are_demanded()
    return ["18", *(["15"] if is_oldest_here else [])]


@contextmanager
def embedded() -> Iterator[str]:
    """Yield the connection string of a private embedded server."""
    with short_directory() as directory:
        conninfo = server.start(directory / "data")
        try:
            yield conninfo
        finally:
            server.stop(directory / "data")


@contextmanager
def debian() -> Iterator[str]:
    """Yield the connection string of a private server of Debian's PostgreSQL 15."""
    as_owner = [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]
    with short_directory() as directory:
        data = directory / "data"
        if as_owner:
            shutil.chown(directory, "postgres")
        run = [*as_owner, str(_DEBIAN / "initdb"), "-A", "trust", "-U", "postgres", "-D", str(data)]
        subprocess.run(run, check=True, capture_output=True)
        settings = [f"-c {name}={value}" for name, value in _SPEED.items()]
        control = [*as_owner, str(_DEBIAN / "pg_ctl"), "-D", str(data), "-w"]
        options = " ".join(["-h ''", f"-k {directory}", "-c jit=off", *settings])
        subprocess.run(
            [*control, "-l", str(directory / "log"), "-o", options, "start"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield f"host='{directory}' port=5432 user=postgres dbname=postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="evalmart-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class fresh_database:  # noqa: N801  used as a context manager
    """Create a database on a server, and drop it on exit; for fixtures of any scope."""

    def __init__(self, conninfo: str) -> None:
        """Choose a name; nothing is created yet."""
        self.conninfo = conninfo
        self.name = f"test_{uuid.uuid4().hex}"

    def __enter__(self) -> str:
        """Create the database and return its connection string."""
        self._execute("create database {} template template0 encoding 'UTF8'")
        return make_conninfo(self.conninfo, dbname=self.name)

    def __exit__(self, *_: object) -> None:
        """Drop it, with whoever is still connected."""
        self._execute("drop database {} with (force)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))
