"""Create and migrate the raw schema: numbered SQL files, each applied once.

Everything happens in one transaction that keeps other `init`s out, so two at once are
safe and an interrupted one leaves nothing. It waits in short attempts for whoever uses the
tables: a statement that waits to change a table would stop everybody behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg

from ..errors import ConfigurationError, WarehouseUnavailable
from . import locks, raw_version
from .waiting import wait_for

if TYPE_CHECKING:
    from .connection import Connection

OLDEST_SERVER = 150_000
# not `create schema if not exists`: that asks for the right to create one that is there
_LEDGER = """
do $$
begin
    if to_regnamespace('raw_evals') is null then
        create schema raw_evals;
    end if;
end
$$;
create table if not exists raw_evals.schema_version (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
)
"""


class _JustMade(Exception):  # noqa: N818  nothing is wrong
    """Another `init` has made the schema while this one was about to."""


class Migration(NamedTuple):
    """One numbered SQL file."""

    version: int
    name: str
    statements: str


def migrations() -> list[Migration]:
    """Return every migration the package ships, in order."""
    found = [
        Migration(int(entry.name[:4]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in raw_version.MIGRATIONS.iterdir()
        if entry.name.endswith(".sql") and entry.name[:4].isdigit()
    ]
    return sorted(found)


def current_version(connection: Connection) -> int:
    """Return the version the raw schema is at; 0 when it does not exist."""
    exists = connection.execute(
        "select to_regclass('raw_evals.schema_version') is not null"
    ).fetchone()
    if exists is None or not exists[0]:
        return 0
    row = connection.execute(
        "select coalesce(max(version), 0)::integer from raw_evals.schema_version"
    ).fetchone()
    return int(str(row[0])) if row else 0


def migrate(connection: Connection) -> list[str]:
    """Bring the raw schema up to date and make sure the roles exist; commits.

    Returns:
        The names of the migrations applied now.

    Raises:
        ConfigurationError: the server is older than PostgreSQL 15, or its schema newer than
            this program.
        WarehouseUnavailable: the user may not create what is needed, or others did not
            let go of the schema in time.

    """
    if connection.info.server_version < OLDEST_SERVER:
        raise ConfigurationError(
            f"PostgreSQL {connection.info.server_version // 10_000} is too old; evalmart needs 15"
        )
    applied: list[str] = []

    def attempt() -> bool:
        try:
            with connection.transaction():
                applied[:] = _apply(connection)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, _JustMade):
            return False
        return True

    try:
        wait_for(attempt, lambda: locks.schema_holder(connection), "the raw schema")
        connection.commit()
    except psycopg.errors.ReadOnlySqlTransaction:
        raise WarehouseUnavailable(
            "this server only reads, as a replica does; run init on the one that writes"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise WarehouseUnavailable(
            f"{connection.info.user} may not create the raw schema: {error.diag.message_primary}; "
            "run init as the owner of the database"
        ) from error
    return applied


def _apply(connection: Connection) -> list[str]:
    """Apply what is missing, and the roles; inside a transaction."""
    connection.execute("set local client_min_messages = warning")
    locks.wait_shortly(connection)
    try:
        connection.execute(_LEDGER)
    except (
        psycopg.errors.UniqueViolation,
        psycopg.errors.DuplicateSchema,
        psycopg.errors.DuplicateTable,
    ) as error:
        raise _JustMade from error
    locks.lock_schema(connection)
    version = current_version(connection)
    raw_version.refuse_newer(version)
    missing = [migration for migration in migrations() if migration.version > version]
    for migration in missing:
        connection.execute(migration.statements.encode())
        connection.execute(
            "insert into raw_evals.schema_version (version, name) values (%s, %s)",
            [migration.version, migration.name],
        )
    roles = raw_version.MIGRATIONS / "roles.sql"
    connection.execute(roles.read_text(encoding="utf-8").encode())
    raw_version.say(connection, raw_version.known_version())
    return [migration.name for migration in missing]


def require_current(connection: Connection) -> None:
    """Check that the raw schema is the one this program writes.

    Raises:
        ConfigurationError: it is missing, older or newer; says what to run.

    """
    version, expected = current_version(connection), raw_version.known_version()
    if version < expected:
        state = "does not exist" if version == 0 else f"is at version {version} of {expected}"
        raise ConfigurationError(f"the schema raw_evals {state}; run: evalmart init")
    raw_version.refuse_newer(version)
