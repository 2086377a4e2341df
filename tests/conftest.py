"""Fixtures: real servers, and a fresh database for each test that wants one."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

import servers
from loader.connection import connect
from loader.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
_TARGETS = ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT", "PGUSER")


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep every test away from the user's own databases, keys and project state."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("EVALMART_HOME", str(home))
        patch.setenv("EVALMART_PROJECT_DIR", str(REPOSITORY))
        for name in _TARGETS:
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture(scope="session", params=servers.available(), ids=lambda name: f"postgres{name}")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the connection string of a running server of each version."""
    start = {"18": servers.embedded, "15": servers.debian}[request.param]
    with start() as conninfo:
        yield conninfo


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """Give a new database with nothing in it; dropped afterwards."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """Give a new database with the raw schema in it; dropped afterwards."""
    with connect(empty_database_url) as connection:
        migrate(connection)
    return empty_database_url


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
