"""Statements that stand in `.sql` files beside the code that runs them, where linters see them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, LiteralString


@cache
def read_sql(module: str, name: str) -> LiteralString:
    """Return a statement that stands beside a module: `marts/sql/levels.sql`.

    Args:
        module: one of the room that it belongs to, its `__name__`.
        name: of the file, without its ending.

    Values in it are parameters, `%(name)s`; identifiers are `{names}` for `psycopg.sql`.
    """
    folder = resources.files(module.rpartition(".")[0]) / "sql"
    file: Any = folder / f"{name}.sql"  # as much a part of the program as a string in it
    text: LiteralString = file.read_text(encoding="utf-8")
    return text
