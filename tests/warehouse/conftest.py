"""A database that has the statistical functions, for the tests of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import servers
import statistical_functions

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection to a database that has the functions, on every version."""
    with (
        servers.fresh_database(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as opened,
    ):
        statistical_functions.create(opened)
        yield opened
