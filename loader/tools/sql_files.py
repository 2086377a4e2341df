"""Statements that stand in `.sql` files beside the code that runs them, where linters see them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, LiteralString


@cache
def read_sql(package: str, name: str) -> LiteralString:
    """Return a statement of a package: `loader.marts`, `levels` → `loader/marts/sql/levels.sql`.

    Values in it are parameters, `%(name)s`; identifiers are `{names}` for `psycopg.sql`.
    """
    folder = resources.files(package) / "sql"
    file: Any = folder / f"{name}.sql"  # as much a part of the program as a string in it
    text: LiteralString = file.read_text(encoding="utf-8")
    return text
