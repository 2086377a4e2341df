"""The gate's tests stand on marts of their own, which each fills with what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import gate_marts
import servers
from loader.warehouse.connection import Connection, connect
from loader.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator


def _fill(url: str) -> None:
    with connect(url) as connection:
        migrate(connection)
        gate_marts.create(connection)


@pytest.fixture
def database_url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a new database with the raw schema, and empty marts where a test has a connection."""
    if "connection" in request.fixturenames:
        filled = servers.template(postgres_server, "gate", _fill)
        database = servers.fresh_database(postgres_server, filled)
    else:
        database = servers.migrated(postgres_server)
    with database as url:
        yield url


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Give a warehouse with empty marts."""
    with connect(database_url) as connection:
        yield connection
