"""The gate's tests stand on marts of their own, which each fills with what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import gate_marts
from loader.warehouse.connection import Connection, connect

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Give a warehouse with empty marts."""
    with connect(database_url) as connection:
        gate_marts.create(connection)
        yield connection
