"""How far a command is, on a terminal; silent elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Advance(Protocol):
    """Called with what is done so far, and what there is to tell beside it."""

    def __call__(self, done: float, told: str = "") -> None:
        """Show it."""


@contextmanager
def progress(what: str, total: float | None) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs, if that is a terminal.

    Args:
        what: is being done.
        total: when it is done; None where that is not known.
    """
    if not sys.stderr.isatty():
        yield lambda _done, told="": None  # noqa: ARG005  nobody is looking
        return
    from rich.console import Console  # only when there is a terminal
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, told="")
        yield lambda done, told="": bar.update(task, completed=done, told=told)
