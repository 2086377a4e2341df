"""Options that several commands share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import click

from ..errors import LoaderError
from ..tools.tables import Format

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_WAIT_SECONDS: Final = "EVALMART_WAIT_SECONDS"  # as loader.warehouse.waiting, which is dear
P = ParamSpec("P")
R = TypeVar("R")


def database_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--database-url`, and `--wait` for whoever is at work there."""
    waiting = click.option(
        "--wait",
        metavar="SECONDS",
        type=click.FloatRange(min=0, max=1e9),
        is_eager=True,
        expose_value=False,
        callback=_wait_no_longer,
        help="For a build or a load under way; else EVALMART_WAIT_SECONDS, or 600.",
    )
    return click.option(
        "--database-url",
        metavar="URL",
        callback=_load_what_waits,
        help="PostgreSQL to use; else DATABASE_URL, PG* variables, or the embedded server.",
    )(waiting(function))


def _wait_no_longer(
    ctx: click.Context, parameter: click.Parameter, seconds: float | None
) -> float | None:
    """Say how long to wait, to this process while the command runs and to those that it starts."""
    del parameter
    if seconds is not None:
        before = os.environ.get(_WAIT_SECONDS)
        os.environ[_WAIT_SECONDS] = f"{seconds:g}"
        ctx.call_on_close(lambda: _restore(before))
    return seconds


def _restore(before: str | None) -> None:
    os.environ.pop(_WAIT_SECONDS, None)
    if before is not None:
        os.environ[_WAIT_SECONDS] = before


def _load_what_waits(
    ctx: click.Context, parameter: click.Parameter, database_url: str | None
) -> str | None:
    """Load records that a recorder kept in its spool while the database was away.

    And drop what an `--as-of` that was killed has left.
    """
    del parameter
    if not ctx.resilient_parsing:
        from ..recording.spool import replay_waiting  # not for completion

        replay_waiting(database_url)
        _clear_what_was_left(database_url)
    return database_url


def _clear_what_was_left(database_url: str | None) -> None:
    from ..warehouse.project import home_directory  # light; the driver is not

    try:
        is_any = any((home_directory() / "as_of").iterdir())
    except (LoaderError, OSError):
        return
    if is_any:
        from ..warehouse.temporary import clear_after_this_machine

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


def wide_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--wide`: every column on a terminal, instead of those that it has room for."""
    return click.option(
        "--wide",
        is_flag=True,
        help="On a terminal, every column in full; else those that its width has room for.",
    )(function)
