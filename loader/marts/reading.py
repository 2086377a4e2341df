"""How marts are read: one state of them, typed columns, and errors that say what to do.

Every query is parameterised; the schema is `EVALMART_SCHEMA`, else `evals`. Each function
raises `ConfigurationError` when the marts are not built, `WarehouseUnavailable` when the
server fails.
"""

from __future__ import annotations

from contextlib import contextmanager
from string import Formatter
from typing import TYPE_CHECKING, Final, LiteralString, TypeVar

import msgspec
import psycopg
from psycopg import sql

from ..errors import ConfigurationError, WarehouseUnavailable
from ..tools.counts import counted
from ..tools.sql_files import read_sql
from ..tools.tables import Column, Table, kind_of
from ..warehouse.grants import may_read, missing_right
from .states import schema_name, snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..warehouse.connection import Connection

Row = TypeVar("Row")
NOT_BUILT: Final = "the marts are not built; run evalmart build"


@contextmanager
def reading(
    connection: Connection, experiments: Collection[str] | None = None, *, writes: bool = False
) -> Iterator[None]:
    """Read from one state of the marts; turn what the server says into the loader's errors.

    Waits as `snapshot` does. Within another one it is that one's state.

    Args:
        connection: to the warehouse.
        experiments: all that is asked about; None for more than that.
        writes: whether temporary tables are filled, too.

    """
    try:
        with snapshot(connection, experiments, writes=writes):
            yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise ConfigurationError(why_not_built(connection)) from None
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise ConfigurationError(
            f"the marts are of another version ({error.diag.message_primary}); run evalmart build"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise missing_right(connection, error) from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"reading the marts failed: {error}") from error


def on_marts(text: LiteralString) -> sql.Composed:
    """Fill in a statement's names: `{mart}` by its relation, `{functions}` by their schema."""
    names = {name for _, name, _, _ in Formatter().parse(text) if name}
    relations = {name: sql.Identifier(schema_name(), name) for name in names - {"functions"}}
    functions = sql.Identifier(f"{schema_name()}_functions")
    return sql.SQL(text).format(**relations, functions=functions)


def statement(name: str) -> sql.Composed:
    """Return the statement of `loader/marts/sql/NAME.sql` on these marts."""
    return on_marts(read_sql(__name__, name))


def typed(row: object, kind: type[Row]) -> Row:
    """Return a row of a mart as what it says; names that it has beside that are left out.

    Raises:
        ConfigurationError: the mart is of another version.
    """
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"the marts are of another version ({error}); run evalmart build"
        ) from None


def why_not_built(connection: Connection) -> str:
    """Say why there are no marts, the first cause first, and what to do about that one."""
    try:
        with connection.transaction():
            there = "select from pg_namespace where nspname = 'raw_evals'"
            if connection.execute(there).fetchone() is None:
                return "the schema raw_evals does not exist; run: evalmart init"
            if not may_read(connection, "loads"):
                return NOT_BUILT
            found = connection.execute("select count(*) from raw_evals.loads").fetchone()
    except psycopg.Error:
        return NOT_BUILT
    loads = int(str(found[0])) if found else 0
    if not loads:
        return "nothing is loaded yet; did ingest run? Then run evalmart build"
    return f"{NOT_BUILT} ({counted(loads, 'load')} {'is' if loads == 1 else 'are'} waiting)"


def is_built(connection: Connection) -> bool:
    """Whether there are marts that a verdict can be read from."""
    row = connection.execute(
        """
        select
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname = %s and class.relname = 'experiment_summaries'
        """,
        (schema_name(),),
    ).fetchone()
    return row is not None


def mart_names(connection: Connection) -> list[str]:
    """Return the names of every relation in the marts' schema, sorted."""
    rows = connection.execute(
        """
        select class.relname::text
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where
            namespace.nspname = %s
            and class.relkind in ('r', 'p', 'v', 'm')
            and not class.relispartition
        order by class.relname::text collate "C"
        """,
        (schema_name(),),
    ).fetchall()
    if not rows:
        raise ConfigurationError(why_not_built(connection))
    return [str(name) for (name,) in rows]


def mart_columns(connection: Connection, mart: str) -> list[tuple[str, str]]:
    """Return a mart's columns as (name, PostgreSQL type), in their order."""
    rows = connection.execute(
        """
        select
            attribute.attname::text,
            format_type(attribute.atttypid, attribute.atttypmod)
        from pg_attribute as attribute
        inner join pg_class as class on attribute.attrelid = class.oid
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where
            namespace.nspname = %s
            and class.relname = %s
            and attribute.attnum > 0
            and not attribute.attisdropped
        order by attribute.attnum
        """,
        (schema_name(), mart),
    ).fetchall()
    return [(str(name), str(kind)) for name, kind in rows]


def select_all(
    connection: Connection, mart: str, rest: LiteralString, parameters: Mapping[str, object]
) -> Table:
    """Return every column of a mart's rows; `rest` is where, order and limit."""
    mart_name = sql.Identifier(schema_name(), mart)
    query = sql.SQL("select * from {} ").format(mart_name) + sql.SQL(rest)
    return fetch(connection, query, parameters)


def fetch_planned_once(
    connection: Connection, query: sql.Composed, parameters: Mapping[str, object]
) -> Table:
    """Return a query's rows by a plan that the connection keeps, whatever the values.

    For what reads views that take longer to plan than their rows to find, by one experiment.
    Called within `reading`; behind a pooler nothing is kept, and it is planned each time.
    """
    connection.execute("set local plan_cache_mode = force_generic_plan")
    found = fetch(connection, query, parameters, prepare=True)
    connection.execute("set local plan_cache_mode = auto")
    return found


def fetch(
    connection: Connection,
    query: sql.Composed,
    parameters: Mapping[str, object],
    *,
    prepare: bool | None = None,
) -> Table:
    """Return a query's rows; columns get their kinds by name and type.

    Args:
        connection: to the warehouse.
        query: what to ask.
        parameters: its values.
        prepare: False plans it for these values each time, True keeps it; else psycopg decides.
    """
    cursor = connection.execute(query, parameters, prepare=prepare)
    columns = tuple(
        Column(column.name, kind_of(column.name, column.type_code))
        for column in cursor.description or ()
    )
    return Table(columns, cursor.fetchall())
