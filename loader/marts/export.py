"""Stream a mart into a file: CSV through COPY, Parquet through a server-side cursor.

Memory is bounded by one block (CSV) or one batch of rows (Parquet), whatever the mart's
size. A file appears whole or not at all: it is written beside its target and renamed.
CSV is as PostgreSQL writes it: null an empty unquoted field, an empty text `""`, lines
ended by a newline; texts that a spreadsheet would compute have an apostrophe in front,
unless they are wanted exactly (`loader.show.escape.spreadsheet`).
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from psycopg import sql

from loader.errors import ConfigurationError, nearest
from loader.marts.reading import mart_columns, mart_names, reading
from loader.marts.states import schema_name
from loader.show.escape import FORMULA_PATTERN, lines
from loader.tools.files import cannot_write, whole_file

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from loader.warehouse.connection import Connection

DEFAULT_MART: Final = "evaluation_results"
BATCH_ROWS: Final = 10_000
_AGENT: Final = "agent_name"
_TEXTS: Final = frozenset({"text", "character varying"})
# What `--days` looks at, best first: a mart has at least one of them, or no time at all.
_TIMES: Final = ("recorded_at", "last_recorded_at", "rollup_date", "recorded_on", "day")


class Selection(NamedTuple):
    """What to export."""

    mart: str = DEFAULT_MART
    agent: str | None = None
    days: int | None = None
    is_exact: bool = False
    """Whether CSV leaves texts as they are that a spreadsheet would compute."""


def export(connection: Connection, path: str, selection: Selection) -> int:
    """Write a mart to a file.

    Args:
        connection: to the warehouse.
        path: `.csv`, `.csv.gz` or `.parquet`; `-` is CSV on standard output.
        selection: the mart and which of its rows.

    Returns:
        The number of rows written.

    Raises:
        ConfigurationError: unknown suffix, mart or filter; the file cannot be written;
            Parquet without its extra.
    """
    suffix = _suffix(path)
    if suffix == ".parquet":
        _pyarrow()  # before any work: say at once that the extra is missing
    with reading(connection):
        is_guarded = suffix != ".parquet" and not selection.is_exact
        query, columns = _query(connection, selection, is_guarded=is_guarded)
        if path == "-":
            return _copy(connection, query, sys.stdout.buffer, is_terminal=sys.stdout.isatty())
        try:
            with whole_file(Path(path)) as stream:
                if suffix == ".parquet":
                    return _parquet(connection, query, columns, stream)
                if suffix == ".csv.gz":
                    # no name and no time inside: the same rows give the same bytes
                    with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                        return _copy(connection, query, packed)
                return _copy(connection, query, stream)
        except OSError as error:
            raise cannot_write(path, error) from error


def _suffix(path: str) -> str:
    if path == "-":
        return ".csv"
    for suffix in (".csv.gz", ".csv", ".parquet"):
        if path.lower().endswith(suffix):
            return suffix
    raise ConfigurationError(
        f"{path} tells no format; end it in .csv, .csv.gz or .parquet, or use - for CSV on stdout"
    )


def _query(
    connection: Connection, selection: Selection, *, is_guarded: bool
) -> tuple[sql.Composed, list[tuple[str, str]]]:
    """Return the select and the mart's columns as (name, PostgreSQL type)."""
    names = mart_names(connection)
    if selection.mart not in names:
        raise ConfigurationError(
            f"no mart {selection.mart!r}{nearest(selection.mart, names)}; "
            f"there are: {', '.join(names) or 'none'}"
        )
    columns = mart_columns(connection, selection.mart)
    present = {name for name, _ in columns}
    conditions: list[sql.Composable] = []
    if selection.agent is not None:
        if _AGENT not in present:
            raise ConfigurationError(f"{selection.mart} has no {_AGENT}: leave out --agent")
        conditions.append(
            sql.SQL("{} = {}").format(sql.Identifier(_AGENT), sql.Literal(selection.agent))
        )
    if selection.days is not None:
        time = next((name for name in _TIMES if name in present), None)
        if time is None:
            raise ConfigurationError(f"{selection.mart} has no time column: leave out --days")
        conditions.append(
            sql.SQL("{} >= now() - make_interval(days => {})").format(
                sql.Identifier(time), sql.Literal(selection.days)
            )
        )
    # COPY takes no parameters, so values are literals that psycopg quotes
    query = sql.SQL("select {columns} from {mart}{where}{order}").format(
        columns=sql.SQL(", ").join(
            _guarded(name) if is_guarded and kind in _TEXTS else sql.Identifier(name)
            for name, kind in columns
        ),
        mart=sql.Identifier(schema_name(), selection.mart),
        where=sql.SQL(" where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
        order=_order(connection, selection.mart),
    )
    return query, columns


def _guarded(name: str) -> sql.Composed:
    """Select a text as a spreadsheet may have it."""
    return sql.SQL(
        "case when {name} ~ {pattern} then '''' || {name} else {name} end as {name}"
    ).format(name=sql.Identifier(name), pattern=sql.Literal(FORMULA_PATTERN))


def _order(connection: Connection, mart: str) -> sql.Composable:
    """Order by the mart's natural key, so that two exports of the same rows are equal."""
    row = connection.execute(
        """
        select array(
            select attribute.attname::text
            from unnest(index.indkey::int2[]) with ordinality as part (number, place)
            inner join pg_attribute as attribute
                on
                    index.indrelid = attribute.attrelid
                    and part.number = attribute.attnum
            order by part.place
        )
        from pg_index as index
        where
            index.indrelid = to_regclass(%s)
            and index.indisunique
            and index.indpred is null
            and index.indexprs is null
        order by index.indnkeyatts desc, index.indexrelid
        limit 1
        """,
        (f"{_quoted(schema_name())}.{_quoted(mart)}",),
    ).fetchone()
    names = row[0] if row is not None else None
    if not isinstance(names, list) or not names:
        return sql.SQL("")
    return sql.SQL(" order by ") + sql.SQL(", ").join(map(sql.Identifier, names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _copy(
    connection: Connection,
    query: sql.Composed,
    stream: BinaryIO | gzip.GzipFile,
    *,
    is_terminal: bool = False,
) -> int:
    """Copy a query's rows as CSV with a header; return how many."""
    statement = sql.SQL("copy ({}) to stdout (format csv, header)").format(query)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as blocks:
            for block in blocks:
                stream.write(lines(bytes(block).decode()).encode() if is_terminal else block)
        stream.flush()
        return max(cursor.rowcount, 0)


def _pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401  an extra, wanted for this format only
    except ImportError:
        raise ConfigurationError(
            "Parquet needs an extra: pip install 'evalmart[parquet]'; or export .csv"
        ) from None


def _parquet(
    connection: Connection, query: sql.Composed, columns: list[tuple[str, str]], stream: BinaryIO
) -> int:
    """Write a query's rows as Parquet, a batch at a time; return how many."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, _arrow_type(kind)) for name, kind in columns])
    # whatever Arrow has no counterpart for travels as PostgreSQL's own text
    select = sql.SQL("select {} from ({}) as rows").format(
        sql.SQL(", ").join(
            sql.SQL("{name}::{type} as {name}").format(
                name=sql.Identifier(name), type=sql.SQL(_cast(kind))
            )
            for name, kind in columns
        ),
        query,
    )
    written = 0
    with (
        connection.cursor(name="evalmart_export") as cursor,
        parquet.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        cursor.execute(select)
        while batch := cursor.fetchmany(BATCH_ROWS):
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            written += len(batch)
    return written


def _cast(kind: str) -> str:
    """Return the PostgreSQL type a column is fetched as."""
    if kind.startswith("numeric"):
        return "double precision"
    return kind if kind in _PLAIN_TYPES else "text"


_PLAIN_TYPES: Final = {
    "boolean": "bool_",
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "real": "float32",
    "double precision": "float64",
    "date": "date32",
    "text": "string",
    "text[]": "list",
    "timestamp with time zone": "timestamp",
}


def _arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type of a PostgreSQL type; numeric becomes float64."""
    import pyarrow as pa

    name = _PLAIN_TYPES.get(_cast(kind), "string")
    if name == "list":
        return pa.list_(pa.string())
    if name == "timestamp":
        return pa.timestamp("us", tz="UTC")
    factory: Callable[[], pa.DataType] = getattr(pa, name)
    return factory()
