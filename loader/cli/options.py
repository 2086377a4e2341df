"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from loader.errors import LoaderError
from loader.tools.tables import Format

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

P = ParamSpec("P")
R = TypeVar("R")


def database_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--database-url`."""
    return click.option(
        "--database-url",
        metavar="URL",
        callback=_load_what_waits,
        help="PostgreSQL to use; else DATABASE_URL, PG* variables, or the embedded server.",
    )(function)


def _load_what_waits(
    ctx: click.Context, parameter: click.Parameter, database_url: str | None
) -> str | None:
    """Load records that a recorder kept in its spool while the database was away.

    And drop what an `--as-of` that was killed has left.
    """
    del parameter
    if not ctx.resilient_parsing:
        from loader.recording.spool import replay_waiting  # not for completion

        replay_waiting(database_url)
        _clear_what_was_left(database_url)
    return database_url


def _clear_what_was_left(database_url: str | None) -> None:
    from loader.warehouse.project import home_directory  # light; the driver is not

    try:
        is_any = any((home_directory() / "as_of").iterdir())
    except (LoaderError, OSError):
        return
    if is_any:
        from loader.warehouse.temporary import clear_after_this_machine

        clear_after_this_machine(database_url)


def as_of_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--as-of`, given to the command as `as_of`: a time with a zone, or None."""
    return click.option(
        "--as-of",
        metavar="TIME",
        type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", _WITH_MICRO]),
        callback=lambda _context, _option, value: _with_zone(value),
        help="Answer from what was loaded by then (UTC unless the time names a zone).",
    )(function)


_WITH_MICRO = "%Y-%m-%dT%H:%M:%S.%f%z"


def _with_zone(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


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
