"""One connection a thread for a whole build, where dbt opens one for every node.

A server's process that has just begun knows no table: it reads the catalogue anew for the
first statement on each. Over the nodes of a build that is half of what the server does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2  # type: ignore[import-untyped]  # comes with dbt-postgres
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.adapters.postgres.impl import PostgresAdapter

if TYPE_CHECKING:
    from dbt.adapters.contracts.connection import Connection

# What a node may leave behind in a session.
_FORGET = "reset all; discard temp"


class KeptConnections(PostgresConnectionManager):
    """Connections that are cleaned after each node and closed at the end of the run."""

    def release(self) -> None:
        """Make the thread's connection as new; close one that cannot be."""
        connection = self.get_if_exists()
        if connection is None or connection.state != "open":
            super().release()
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
            _run(connection, _FORGET)
            if connection.credentials.role:
                # as dbt does when it connects; a rollback may have taken it back
                _run(connection, f"set role {connection.credentials.role}")
        except psycopg2.Error:
            super().release()

    def set_connection_name(self, name: str | None = None) -> Connection:
        """Name the thread's connection after a node; one that the server has ended is replaced."""
        connection = self.get_if_exists()
        if connection is not None and connection.state == "open":
            try:
                if not connection.transaction_open:
                    _run(connection, "select 1")
            except psycopg2.Error:
                self.close(connection)
        return super().set_connection_name(name)


def keep_connections() -> None:
    """Let every dbt run of this process keep its connections."""
    PostgresAdapter.ConnectionManager = KeptConnections


def _run(connection: Connection, statements: str) -> None:
    """Run statements outside any transaction."""
    handle = connection.handle
    before = handle.autocommit
    handle.autocommit = True
    try:
        with handle.cursor() as cursor:
            cursor.execute(statements)
    finally:
        if not handle.closed:
            handle.autocommit = before
