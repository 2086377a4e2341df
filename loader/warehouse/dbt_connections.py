"""One connection a thread for a whole build, where dbt opens one for every node.

A server's process that has just begun knows no table: it reads the catalogue anew for the
first statement on each. Over the nodes of a build that is half of what the server does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import psycopg2  # type: ignore[import-untyped]  # comes with dbt-postgres
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt_common.exceptions import DbtDatabaseError

if TYPE_CHECKING:
    from dbt.adapters.contracts.connection import Connection

    from .lease import Lease

# What a node may leave behind in a session.
_FORGET = "reset all; discard temp"


# What a server, a database or a pooler may end a long statement or a wait by.
_BEGIN = (
    "begin; set local statement_timeout = 0; set local lock_timeout = 0;"
    " set local idle_in_transaction_session_timeout = 0"
)


class KeptConnections(PostgresConnectionManager):
    """Connections that are cleaned after each node and closed at the end of the run."""

    lease: ClassVar[Lease | None] = None
    """Of the build that these connections are of; without one, they are anybody's."""

    @classmethod
    def open(cls, connection: Connection) -> Any:  # noqa: ANN401  as dbt has it
        """Open a connection that names the build, so that who takes it over can end it."""
        if cls.lease is not None:
            connection.credentials.application_name = cls.lease.sessions
        return super().open(connection)  # type: ignore[no-untyped-call]

    def add_begin_query(self) -> Any:  # noqa: ANN401  as dbt has it
        """Begin a transaction that nothing but its own statements can end."""
        return self.add_query(_BEGIN, auto_begin=False)

    def commit(self) -> Any:  # noqa: ANN401  likewise
        """Commit, unless the build may be another's by now."""
        if self.lease is not None and not self.lease.is_held():
            raise DbtDatabaseError("this build was taken over by another, or may be by now")
        return super().commit()  # type: ignore[no-untyped-call]

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


def keep_connections(lease: Lease | None = None) -> None:
    """Let every dbt run of this process keep its connections, as long as the lease is held."""
    KeptConnections.lease = lease
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
