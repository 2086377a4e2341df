"""What is said of one task beyond its means: its quarantine, and the test of its repetitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...marts import beside
from ...show.beside import task_table
from ...show.render import cell, heading, printable
from ...tools.tables import NUMERIC
from ..grids import Cell, Grid, Heading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...marts.browsing import Candidate
    from ...warehouse.connection import Connection


def quarantine(row: Mapping[str, object]) -> str | None:
    """Say whether a verdict leaves a task of `evaluation_comparison_view` out, and why."""
    if row["quarantine_reason"] is None:
        return None
    told = (
        "Its quarantine has run out, so it counts again"
        if row["is_quarantine_expired"]
        else "In quarantine: the verdict leaves it out"
    )
    return f"{told} ({printable(str(row['quarantine_reason']))})."


def repeated(connection: Connection, candidate: Candidate, task_id: str) -> Grid | None:
    """Return the test of each score of a task that both arms ran repeatedly; else None."""
    rows = beside.of_task(
        connection, candidate.experiment_id, candidate.group, candidate.version, task_id
    )
    if not rows:
        return None
    table = task_table(rows)
    shown = [
        (place, one)
        for place, one in enumerate(table.columns)
        # the page names the task and lists its runs
        if one.name not in {"task", "runs"}
    ]
    return Grid(
        "Run repeatedly: did the task itself change?",
        [Heading(heading(one), one.kind in NUMERIC) for _, one in shown],
        [[Cell(cell(row[place], one.kind)) for place, one in shown] for row in table.rows],
    )
