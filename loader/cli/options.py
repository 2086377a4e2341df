"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def database_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--database-url`."""
    return click.option(
        "--database-url",
        metavar="URL",
        help="PostgreSQL to use; else DATABASE_URL, PG* variables, or the embedded server.",
    )(function)
