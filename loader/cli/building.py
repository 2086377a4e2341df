"""What a command has to do with builds: make one first, or say that one is due."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..tools.counts import counted
from .say import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..warehouse.standing import Standing

R = TypeVar("R")


def say_standing(found: Standing) -> None:
    """Say that nothing has changed since a build."""
    loads = f"up to date with load {found.load_id}" if found.load_id else "up to date: no load yet"
    warned = f"; {counted(found.warned, 'test')} warned then" if found.warned else ""
    say(f"{loads}, built {found.built_at.astimezone():%Y-%m-%d %H:%M}{warned}")


def build_at_once(database_url: str | None) -> None:
    """Build what is new, with nothing said unless something is wrong.

    Raises:
        click.exceptions.Exit: the build failed; with its exit code.

    """
    from ..warehouse.dbt import build  # keep --help quick

    code = build((), database_url, quiet=True)
    if code:
        say("the build failed: dbt says why above, and in its log", err=True)
        raise click.exceptions.Exit(code)


def build_option(function: Callable[..., R]) -> Callable[..., R]:
    """Add `--build` to a command that reads marts; without it, say which loads they lack."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, build: bool, **options: Any) -> R:  # noqa: ANN401  as it has them
        database_url = options["database_url"]
        if options.get("as_of") is not None:
            pass  # answered from marts of their own
        elif build:
            build_at_once(database_url)
        else:
            _say_what_waits(database_url)
        return function(*arguments, **options)

    told = "Build first what was loaded since the last build."
    return click.option("--build", is_flag=True, help=told)(wrapped)


def _say_what_waits(database_url: str | None) -> None:
    from ..warehouse.connection import connect
    from ..warehouse.standing import waiting  # keep --help quick

    with connect(database_url) as connection:
        found = waiting(connection)
    if found:
        are = "is" if found == 1 else "are"
        say(
            f"note: {counted(found, 'load')} {are} not in the marts yet; --build takes "
            f"{'it' if found == 1 else 'them'} in",
            err=True,
        )
