"""The option that commands which print tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from loader.tables import Format

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def format_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--format`, given to the command as `output`, a `Format`."""
    return click.option(
        "--format",
        "output",
        type=click.Choice([output.value for output in Format]),
        default=Format.TABLE.value,
        show_default=True,
        callback=lambda _context, _option, value: Format(value),
        help="Tables and markdown are for people; json and csv keep every digit.",
    )(function)
