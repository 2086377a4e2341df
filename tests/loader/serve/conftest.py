"""The app, started once for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import served

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def app(postgres_server: str) -> Iterator[served.Served]:
    """Give a server that answers on a warehouse with something of everything."""
    with served.warehouse(postgres_server) as database, served.served(database) as running:
        yield running
