"""How far a command is, on a terminal; silent elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ..show.escape import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


class Advance(Protocol):
    """Called with what is done so far, what to tell beside it, and the total once it is known."""

    def __call__(self, done: float, told: str = "", total: float | None = None) -> None:
        """Show it."""


def is_shown() -> bool:
    """Whether somebody looks: standard error is a terminal."""
    return sys.stderr.isatty()


@contextmanager
def progress(what: str, total: float | None) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs, if that is a terminal.

    Args:
        what: is being done.
        total: when it is done; None where that is not known yet.
    """
    if not is_shown():
        yield lambda _done, told="", total=None: None  # noqa: ARG005  nobody is looking
        return
    from rich.console import Console  # only when there is a terminal
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
    )
    # what a command prints is its own: redirected, it would reach the terminal by standard error
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    ) as bar:
        task = bar.add_task(terminal(what), total=total, told="")
        yield lambda done, told="", total=None: bar.update(
            task, completed=done, total=total, told=terminal(told)
        )
