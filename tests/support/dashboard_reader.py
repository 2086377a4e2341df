"""The login that Grafana reads with, and what it makes of a dashboard's queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

import dashboard_queries
from grafana.build_dashboards import HERE
from grafana_sql import TimeRange, interpolate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dashboard_queries import Query

    Reader = psycopg.Connection[tuple[Any, ...]]

READER = "evals_grafana"
Values = dict[str, "str | Sequence[str]"]


class Rows:
    """What a query gave: columns by name, type oid and values."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        assert cursor.description is not None
        self.rows = cursor.fetchall()
        self.types = {column.name: column.type_code for column in cursor.description}

    def of_type(self, oids: set[int]) -> list[str]:
        return [name for name, oid in self.types.items() if oid in oids]

    def column(self, name: str) -> list[Any]:
        place = list(self.types).index(name)
        return [row[place] for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.types, row, strict=True)) for row in self.rows]


def create_reader(url: str) -> None:
    """Do what grafana/create_reader.sql does; psql is not everywhere."""
    script = (HERE / "create_reader.sql").read_text(encoding="utf-8")
    statements = "\n".join(line for line in script.splitlines() if not line.startswith("--"))
    create, rest = statements.split("\\gexec")
    with psycopg.connect(url, autocommit=True) as connection:
        for (statement,) in connection.execute(create.encode()).fetchall():
            connection.execute(statement)
        for statement in rest.replace(":'password'", "'secret'").split(";"):
            connection.execute(statement.encode())


def all_time() -> TimeRange:
    now = datetime.now(UTC)
    return TimeRange(now - timedelta(days=3 * 365), now + timedelta(minutes=5))


def run(reader: Reader, query: Query, values: Mapping[str, Any]) -> Rows:
    """Ask one query as Grafana does, with variables of these values."""
    text = interpolate(query.sql, values, all_time())
    return Rows(reader.execute(text.encode()))


def fill(reader: Reader, path: Path, given: Mapping[str, str] | None = None) -> Values:
    """Give each variable the value it has when the dashboard is opened.

    Args:
        reader: as Grafana reads.
        path: of the dashboard.
        given: what the address sets; has to be on offer, as Grafana takes another else.
    """
    values: Values = {"task": ""}
    for item, query in dashboard_queries.variables(path):
        said = (given or {}).get(item["name"])
        if query is None:
            values[item["name"]] = item["query"] if said is None else said
            continue
        options = [str(row[0]) for row in run(reader, query, values).rows]
        assert options, f"{path.stem}: {item['name']} has nothing to choose from"
        assert len(options) == len(set(options))
        assert said is None or said in options, f"{path.stem}: no {item['name']} {said!r}"
        first = options if item["multi"] else options[0]
        values[item["name"]] = first if said is None else [said] if item["multi"] else said
    return values
