"""Names that people give to parts of raw: which of them is unknown, and what there is instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from ..errors import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

COLUMNS: Final = {
    "experiment": "experiment_id",
    "group": "experiment_group",
    "version": "extension_version",
    "task": "task_id",
    "run": "source_run_id",
}
"""What a person calls a part, and its column; from the whole to its parts."""
_MOST_NAMES: Final = 20


def unknown(
    connection: Connection, parts: Mapping[str, object], within: Mapping[str, object] | None = None
) -> str | None:
    """Say which name no run has, among those that have the names before it.

    Args:
        connection: to a migrated warehouse.
        parts: name by part, as in `COLUMNS`; None is any.
        within: values by column that runs must have besides.

    Returns:
        A sentence with the nearest names and those there are, or None if runs have them all.

    """
    wanted = dict(within or {})
    said: list[str] = []
    for part, column in COLUMNS.items():
        value = parts.get(part)
        if value is None:
            continue
        if not exists(connection, "evaluation_runs", {**wanted, column: value}):
            names = _names(connection, column, wanted)
            where = f" in {', '.join(said)}" if said else ""
            there = nearest(str(value), names)
            return f"no {part} {str(value)!r}{where}{there}; there are: {_told(names)}"
        wanted[column] = value
        said.append(f"{part} {value}")
    return None


def exists(connection: Connection, table: str, wanted: Mapping[str, object]) -> bool:
    """Whether a table of the raw schema has a row with these values; None is any."""
    given = {name: value for name, value in wanted.items() if value is not None}
    query = sql.SQL("select from {} where true{} limit 1").format(
        sql.Identifier("raw_evals", table), _conditions(given)
    )
    return connection.execute(query, given).fetchone() is not None


def _names(connection: Connection, column: str, wanted: Mapping[str, object]) -> list[str]:
    """Return the names that a column has among runs that have these values."""
    # of experiments there is a list that is much shorter than their runs
    table = "evaluation_runs" if wanted else "load_experiments"
    query = sql.SQL("select distinct {column} from {table} where true{where} order by 1").format(
        column=sql.Identifier(column),
        table=sql.Identifier("raw_evals", table),
        where=_conditions(wanted),
    )
    return [str(name) for (name,) in connection.execute(query, wanted).fetchall()]


def _conditions(wanted: Mapping[str, object]) -> sql.Composed:
    return sql.SQL("").join(
        sql.SQL(" and {} = {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in wanted
    )


def _told(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{', '.join(names[:_MOST_NAMES]) or 'none'}{more}"
