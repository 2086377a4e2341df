"""Whether work that could grow with the square of its input grows with the input.

    python benchmarks/growth.py

Lays out the page of an experiment of 500 tasks and of 5,000, and reads a file of 1,000 columns and
of 10,000, in turn. Prints the median ratio of ten times the input to once; a square makes it 100.
Fails where it is above the ceiling.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from measures import report
from private_warehouse import REPOSITORY

from loader.report import page
from loader.sources.files import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 5
TIMES: Final = 10
MOST: Final = 25.0


def ratio(small: Callable[[], object], large: Callable[[], object]) -> float:
    """Return how much longer the large one works than the small one, in processor time."""
    small()
    ratios = []
    for _ in range(ROUNDS):
        base = _seconds(small)
        ratios.append(_seconds(large) / base)
    return statistics.median(ratios)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def page_of(tasks: int) -> Callable[[], object]:
    """Return what lays out a page of so many tasks."""
    names = [f"{place:04}-checkout-api/fix-race-in-retry-of-payments" for place in range(tasks)]
    experiment = _experiment(names)
    return lambda: page.render_experiment(experiment, {}, "html")


def _experiment(names: list[str]) -> Any:  # noqa: ANN401  of a module of the tests
    """Return an experiment of these tasks with every mart filled."""
    sys.path.append(str(REPOSITORY / "tests" / "support"))
    return importlib.import_module("report_rows").experiment(task_ids=names)


def header_of(folder: Path, columns: int) -> Callable[[], object]:
    """Return what reads a table of so many columns, which is refused."""
    path = folder / f"{columns}.csv"
    names = ",".join(f"metadata.c{number}" for number in range(columns - 1))
    path.write_text(f"task_id,{names}\nt\n", encoding="utf-8")
    return lambda: list(FileSource([str(path)]).rows())


def main() -> int:
    """Return 1 when a ceiling is missed."""
    with tempfile.TemporaryDirectory(prefix="evalmart-") as name:
        folder = Path(name)
        held = [
            report(
                f"{subject} {TIMES} times as large, work",
                ratio(make(size), make(TIMES * size)),
                MOST,
            )
            for subject, make, size in (
                ("a page of 500 tasks", page_of, 500),
                ("a header of 1,000 columns", lambda size: header_of(folder, size), 1_000),
            )
        ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
