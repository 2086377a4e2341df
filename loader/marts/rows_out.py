"""How rows of a mart are written: CSV, JSON, JSON Lines, markdown, Parquet.

Each takes a select and a stream, writes in bounded memory, and returns how many rows there
were. Numbers and times are PostgreSQL's own text, so that no digit is lost; null is null in
JSON and Parquet, and an empty field in CSV and markdown, where an empty text is `""`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from ..errors import ConfigurationError
from ..show.escape import json_text, lines, markdown

if TYPE_CHECKING:
    import gzip
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    import pyarrow as pa

    from ..warehouse.connection import Connection

    Stream = BinaryIO | gzip.GzipFile

BATCH_ROWS: Final = 10_000
_LINES_AT_ONCE: Final = 1_000
MOST_MARKDOWN: Final = 10_000
"""Rows of a page in markdown: no reader shows more, and no forge stores it."""


def write_csv(
    connection: Connection,
    query: sql.Composed,
    stream: Stream,
    *,
    is_terminal: bool = False,
) -> int:
    """Copy a query's rows as CSV with a header."""
    statement = sql.SQL("copy ({}) to stdout (format csv, header)").format(query)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as blocks:
            for block in blocks:
                stream.write(lines(bytes(block).decode()).encode() if is_terminal else block)
        stream.flush()
        return max(cursor.rowcount, 0)


def write_json(
    connection: Connection,
    query: sql.Composed,
    stream: Stream,
    *,
    is_list: bool,
    is_terminal: bool = False,
) -> int:
    """Write a query's rows as objects: a JSON array, or one a line.

    Args:
        connection: within a transaction.
        query: the select.
        stream: where to.
        is_list: whether they are one array.
        is_terminal: whether what moves a cursor is to be shown as an escape.

    """
    select = sql.SQL("select row_to_json(exported)::text from ({}) as exported").format(query)
    written = 0
    for (row,) in _streamed(connection, select, _LINES_AT_ONCE):
        text = json_text(str(row)) if is_terminal else str(row)
        before = (b",\n" if written else b"[\n") if is_list else b""
        stream.write(before + text.encode() + (b"" if is_list else b"\n"))
        written += 1
    if is_list:
        stream.write(b"\n]\n" if written else b"[]\n")
    stream.flush()
    return written


def write_markdown(
    connection: Connection, query: sql.Composed, columns: Sequence[tuple[str, str]], stream: Stream
) -> int:
    """Write a query's rows as a table of GitHub's markdown.

    Raises:
        ConfigurationError: there are more than `MOST_MARKDOWN`; nothing is written then.
    """
    counted = sql.SQL("select count(*) from (select from ({}) as rows limit {}) as counted")
    found = connection.execute(counted.format(query, sql.Literal(MOST_MARKDOWN + 1))).fetchone()
    if found is not None and int(str(found[0])) > MOST_MARKDOWN:
        raise ConfigurationError(
            f"more than {MOST_MARKDOWN:,} rows are no page: narrow them with --experiment, "
            "--agent or --days, or export .csv, .jsonl or .parquet"
        )
    texts = sql.SQL("select {} from ({}) as rows").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name, _ in columns),
        query,
    )
    stream.write(_markdown_row([markdown(name) for name, _ in columns]))
    stream.write(_markdown_row(["---"] * len(columns)))
    written = 0
    for row in _streamed(connection, texts, _LINES_AT_ONCE):
        stream.write(_markdown_row([_markdown_cell(value) for value in row]))
        written += 1
    stream.flush()
    return written


def _markdown_cell(value: object) -> str:
    if value is None:
        return ""
    return markdown(str(value)) or '""'


def _markdown_row(cells: Sequence[str]) -> bytes:
    return f"| {' | '.join(cells)} |\n".encode()


def _streamed(
    connection: Connection, select: sql.Composed, at_once: int
) -> Iterator[tuple[object, ...]]:
    with connection.cursor(name="evalmart_export") as cursor:
        cursor.itersize = at_once
        cursor.execute(select)
        yield from cursor


def write_parquet(
    connection: Connection, query: sql.Composed, columns: list[tuple[str, str]], stream: Stream
) -> int:
    """Write a query's rows as Parquet, a batch at a time."""
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
