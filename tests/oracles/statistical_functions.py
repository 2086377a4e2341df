"""The statistical functions of the project in a database of a test, without a dbt build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

SCHEMA = "evals_functions"
_MACROS = Path(__file__).resolve().parents[2] / "macros" / "statistics"


def creation_statement(schema: str = SCHEMA) -> str:
    """Render the on-run-start macro: it needs nothing of dbt's context."""
    text = "".join(path.read_text() for path in sorted(_MACROS.glob("*.sql")))
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701  SQL
    template = environment.from_string(text + "{{ create_statistical_functions(schema) }}")
    return template.render(schema=schema)


def create(connection: psycopg.Connection[Any], schema: str = SCHEMA) -> None:
    """Create the functions in a schema and commit."""
    connection.execute(creation_statement(schema).encode())
    connection.commit()


def evaluate(
    connection: psycopg.Connection[Any], function: str, rows: Iterable[Sequence[object]]
) -> list[Any]:
    """Call a function on every row of float arguments; give the results in order."""
    columns = list(zip(*rows, strict=True))
    names = [f"argument_{position}" for position in range(len(columns))]
    arrays = ", ".join("%s::float8[]" for _ in columns)
    query = (
        f"select {SCHEMA}.{function}({', '.join(names)}) "
        f"from unnest({arrays}) with ordinality as cases ({', '.join(names)}, position) "
        "order by position"
    )
    cursor = connection.execute(query.encode(), [[*map(_as_float, column)] for column in columns])
    return [value for (value,) in cursor.fetchall()]


def _as_float(value: object) -> float | None:
    return None if value is None else float(str(value))
