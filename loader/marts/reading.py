"""How marts are read: one snapshot, typed columns, and errors that say what to do.

Every query is parameterised; the schema is `EVALMART_SCHEMA`, else `evals`. Each function
raises `ConfigurationError` when the marts are not built or a name is unknown (with the
nearest names), `WarehouseUnavailable` when the server fails.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from string import Formatter
from typing import TYPE_CHECKING, Final, LiteralString, TypeVar

import msgspec
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from loader.errors import ConfigurationError, WarehouseUnavailable, nearest
from loader.marts.unbuilt import is_loaded
from loader.tables import Column, Table, kind_of
from loader.tools.sql_files import read_sql
from loader.warehouse.grants import may_read, missing_right

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loader.warehouse.connection import Connection

Row = TypeVar("Row")
NOT_BUILT: Final = "the marts are not built; run python -m loader build"


def schema_name() -> str:
    """Return the schema of the marts."""
    return os.environ.get("EVALMART_SCHEMA") or "evals"


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """Read from one snapshot; turn what the server says into the loader's errors."""
    is_first = connection.info.transaction_status is TransactionStatus.IDLE
    try:
        with connection.transaction():
            if is_first:
                connection.execute("set transaction isolation level repeatable read, read only")
            yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise ConfigurationError(NOT_BUILT) from None
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise ConfigurationError(
            f"the marts are of another version ({error.diag.message_primary}); "
            "run python -m loader build --full-refresh"
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
    return on_marts(read_sql("loader.marts", name))


def typed(row: object, kind: type[Row]) -> Row:
    """Return a row of a mart as what it says; names that it has beside that are left out.

    Raises:
        ConfigurationError: the mart is of another version.
    """
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"the marts are of another version ({error}); run python -m loader build --full-refresh"
        ) from None


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
        raise ConfigurationError(NOT_BUILT)
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


def fetch(connection: Connection, query: sql.Composed, parameters: Mapping[str, object]) -> Table:
    """Return a query's rows; columns get their kinds by name and type."""
    cursor = connection.execute(query, parameters)
    columns = tuple(
        Column(column.name, kind_of(column.name, column.type_code))
        for column in cursor.description or ()
    )
    return Table(columns, cursor.fetchall())


def check_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise, with the nearest names, when there is no such experiment."""
    mart = sql.Identifier(schema_name(), "evaluation_results")
    found = connection.execute(
        sql.SQL("select from {} where experiment_id = %s limit 1").format(mart), (experiment_id,)
    ).fetchone()
    if found is None:
        if is_loaded(connection, experiment_id):
            raise ConfigurationError(
                f"{experiment_id} is loaded but not built yet; run python -m loader build"
            )
        _check_withdrawn(connection, experiment_id)
        names = distinct(connection, "evaluation_results", "experiment_id", {})
        raise ConfigurationError(
            f"no experiment {experiment_id!r}{nearest(experiment_id, names)}; "
            "python -m loader experiments lists them"
            if names
            else f"no experiment {experiment_id!r}: nothing is loaded, or the marts are not built"
        )


def _check_withdrawn(connection: Connection, experiment_id: str) -> None:
    """Raise, with the latest withdrawal, when an experiment without results has one."""
    if not may_read(connection, "load_history", schema_name()):
        return
    query = on_marts(
        """
        select
            load_id,
            to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD'),
            coalesce(' by ' || (source_ref ->> 'author'), ''),
            source_ref ->> 'reason'
        from {load_history}
        where
            experiment_id = %(experiment_id)s
            and source = 'withdrawal'
            and not jsonb_exists(source_ref, 'undone')
        order by load_id desc
        limit 1
        """
    )
    found = connection.execute(query, {"experiment_id": experiment_id}).fetchone()
    if found is not None:
        load_id, day, author, reason = found
        raise ConfigurationError(
            f"every run of {experiment_id} was withdrawn{author} on {day}: {reason} "
            f"(to lift it: python -m loader withdraw --undo {load_id} --reason TEXT)"
        )


def check_names(connection: Connection, mart: str, names: Mapping[str, str]) -> None:
    """Raise for the first of some columns in which no row of a mart has its name."""
    known: dict[str, str] = {}
    for column, name in names.items():
        present = distinct(connection, mart, column, known)
        if name not in present:
            raise ConfigurationError(
                f"no {column.removesuffix('_name')} {name!r}{nearest(name, present)}; "
                f"there are: {', '.join(present) or 'none'}"
            )
        known[column] = name


def distinct(
    connection: Connection, mart: str, column: str, where: Mapping[str, str]
) -> Sequence[str]:
    """Return a column's distinct values by skipping through its index, sorted."""
    conditions = sql.SQL("").join(
        sql.SQL(" and {} = {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in where
    )
    query = sql.SQL(
        """
        with recursive names as (
            (
                select {column} as name from {mart}
                where {column} is not null{conditions}
                order by {column} limit 1
            )
            union all
            select (
                select {column} from {mart}
                where {column} > names.name{conditions}
                order by {column} limit 1
            )
            from names
            where names.name is not null
        )

        select name from names where name is not null
        """
    ).format(
        column=sql.Identifier(column),
        mart=sql.Identifier(schema_name(), mart),
        conditions=conditions,
    )
    return [str(name) for (name,) in connection.execute(query, where).fetchall()]
