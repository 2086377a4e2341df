"""Which right a role lacks, and the statement that grants it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from ..errors import WarehouseUnavailable

if TYPE_CHECKING:
    from .connection import Connection

_DENIED: Final = re.compile(r"permission denied for (\w+) (\S+)")
_RAW: Final = "raw_evals"


def current_role(connection: Connection) -> str:
    """Return the role that the server checks, quoted where it has to be."""
    try:
        row = connection.execute("select quote_ident(current_user)").fetchone()
    except psycopg.Error:
        return connection.info.user
    return str(row[0]) if row else connection.info.user


def missing_right(
    connection: Connection, error: psycopg.errors.InsufficientPrivilege
) -> WarehouseUnavailable:
    """Return what the server refused as an error that names the statement which allows it.

    Args:
        connection: of the role that was refused; its transaction must not have failed.
        error: what the server said.
    """
    said = str(error.diag.message_primary or error)
    return WarehouseUnavailable(f"{said}; {remedy(_statement(connection, said))}")


def remedy(*statements: str) -> str:
    """Return what an administrator has to run, as the end of a sentence."""
    return "as an administrator run: " + " ".join(f"{statement};" for statement in statements)


def _statement(connection: Connection, said: str) -> str:
    role = current_role(connection)
    denied = _DENIED.match(said)
    kind, name = denied.groups() if denied else ("", "")
    if kind == "schema" and (name == _RAW or name.endswith("_functions")):
        return f"grant usage on schema {name} to {role}"
    if kind == "function":
        return f"grant execute on function {name} to {role}"
    if kind in {"table", "view"} and _schema_of(connection, name) == _RAW:
        return f"grant select on {_RAW}.{name} to {role}"
    return f"grant evals_analyst to {role}"


def _schema_of(connection: Connection, relation: str) -> str | None:
    """Return the schema of a relation whose name the server told without it."""
    query = sql.SQL(
        "select namespace.nspname from pg_class as class"
        " inner join pg_namespace as namespace on class.relnamespace = namespace.oid"
        " where class.relname = %s and namespace.nspname = %s"
    )
    row = connection.execute(query, (relation, _RAW)).fetchone()
    return str(row[0]) if row else None


def may_read(connection: Connection, table: str, schema: str = "raw_evals") -> bool:
    """Whether a table is there and this role may select from it."""
    row = connection.execute(
        """
        select
            has_schema_privilege(namespace.oid, 'usage')
            and has_table_privilege(class.oid, 'select')
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname = %s and class.relname = %s
        """,
        (schema, table),
    ).fetchone()
    return bool(row and row[0])
