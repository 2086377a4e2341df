"""Stream a mart into a file.

Memory is bounded by one block, line or batch of rows, whatever the mart's size. A file appears
whole or not at all: it is written beside its target and renamed. How each format is written,
`loader.marts.rows_out` says; in CSV, texts that a spreadsheet would compute have an apostrophe
in front, unless they are wanted exactly (`loader.show.escape.spreadsheet`).
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql

from ..errors import ConfigurationError, nearest
from ..show.escape import FORMULA_PATTERN
from ..tools.extras import require
from ..tools.files import cannot_write, whole_file
from .names import check_experiment
from .reading import mart_columns, mart_names, reading
from .rows_out import (
    write_csv,
    write_json,
    write_markdown,
    write_parquet,
)
from .states import schema_name

if TYPE_CHECKING:
    from ..warehouse.connection import Connection
    from .rows_out import Stream

DEFAULT_MART: Final = "evaluation_results"
FORMATS: Final = ("csv", "json", "jsonl", "markdown", "parquet")
_ENDINGS: Final = {
    ".csv": "csv", ".jsonl": "jsonl", ".json": "json", ".md": "markdown", ".parquet": "parquet",
}  # fmt: skip
_PACKED: Final = ".gz"
_EXPERIMENT: Final = "experiment_id"
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
    experiment: str | None = None


def export(
    connection: Connection,
    path: str,
    selection: Selection,
    format: str | None = None,  # noqa: A002  the option's name
) -> int:
    """Write a mart to a file.

    Args:
        connection: to the warehouse.
        path: its ending tells the format, and `.gz` behind it that it is packed; `-` is
            standard output.
        selection: the mart and which of its rows.
        format: one of `FORMATS`, where the path tells none.

    Returns:
        The number of rows written.

    Raises:
        ConfigurationError: unknown format, mart, filter or experiment; the file cannot be
            written; Parquet without its extra; markdown of more rows than a page has.
    """
    chosen = _format(path, format)
    is_packed = path.lower().endswith(_PACKED)
    if chosen == "parquet":
        require("parquet")  # before any work
    with reading(connection):
        query, columns = _query(
            connection, selection, is_guarded=chosen == "csv" and not selection.is_exact
        )

        def write(stream: Stream, *, is_terminal: bool = False) -> int:
            if chosen == "csv":
                count = write_csv(connection, query, stream, is_terminal=is_terminal)
            elif chosen == "markdown":
                count = write_markdown(connection, query, columns, stream)
            elif chosen == "parquet":
                count = write_parquet(connection, query, columns, stream)
            else:
                count = write_json(
                    connection, query, stream, is_list=chosen == "json", is_terminal=is_terminal
                )
            if not count and selection.experiment is not None:
                check_experiment(connection, selection.experiment)
            return count

        if path == "-":
            return write(sys.stdout.buffer, is_terminal=sys.stdout.isatty())
        try:
            with whole_file(Path(path)) as stream:
                if not is_packed:
                    return write(stream)
                # no name and no time inside: the same rows give the same bytes
                with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                    return write(packed)
        except OSError as error:
            raise cannot_write(path, error) from error


def _format(path: str, said: str | None) -> str:
    """Return the format that a path tells, or that is said."""
    name = path.lower().removesuffix(_PACKED)
    told = next((each for ending, each in _ENDINGS.items() if name.endswith(ending)), None)
    if told is not None and said not in (None, told):
        raise ConfigurationError(
            f"{path} tells {told}, and --format says {said}; leave one of them out"
        )
    found = told or said or ("csv" if path == "-" else None)
    if found is None:
        raise ConfigurationError(
            f"{path} tells no format; end it in {', '.join(_ENDINGS)} (.gz behind any but "
            ".parquet packs it), say --format, or use - for CSV on stdout"
        )
    if found == "parquet" and (path == "-" or name != path.lower()):
        raise ConfigurationError("Parquet is packed by itself and needs a file: end it in .parquet")
    return found


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
    if selection.experiment is not None:
        if _EXPERIMENT not in present:
            raise ConfigurationError(
                f"{selection.mart} has no {_EXPERIMENT}: leave out --experiment"
            )
        conditions.append(
            sql.SQL("{} = {}").format(
                sql.Identifier(_EXPERIMENT), sql.Literal(selection.experiment)
            )
        )
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
