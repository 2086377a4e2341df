"""Every experiment, with its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...marts import browsing, lists
from ...marts.listing import Order
from ...show import wording
from ...show.render import NULL, cell, printable
from ...tools.tables import Kind
from .. import drawing
from ..grids import Cell, Shown, bar, difference, listed, plain, word
from ..view import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...marts.listing import Listing
    from ..asking import Asked
    from ..view import View

    Record = Mapping[str, object]

VERDICTS: Final = wording.VERDICTS
ENDS: Final = ("improvement_low_pct", "improvement_high_pct")


def filters(asked: Asked) -> tuple[Listing, dict[str, object], Order]:
    """Return what `experiments` lists."""
    return (
        lists.EXPERIMENTS,
        {
            "search": asked.pattern(),
            "agent": asked.text("agent"),
            "verdict": asked.choice("verdict", VERDICTS),
            "since": asked.day("since"),
            "until": asked.day("until", is_end=True),
        },
        asked.order(lists.EXPERIMENTS, Order("last_recorded_at", is_descending=True)),
    )


def experiments(view: View) -> Page:
    """Return the list of experiments."""
    listing, chosen, order = filters(view.asked)
    found = view.read(listing, chosen, order)
    extent = drawing.extent(
        [drawing.known(row[name]) for row in found.table.records() for name in ENDS]
    )
    columns = (
        Shown("experiment_id", "experiment", lambda row: _named(view, row)),
        Shown("candidate_version", "candidate", _candidate),
        Shown("recommendation", "verdict", lambda row: word(row["recommendation"])),
        Shown(
            "improvement_pct",
            "improvement",
            improvement,
            is_numeric=True,
            first_is_largest=True,
        ),
        Shown("", "worse … better", lambda row: interval(row, extent)),
        plain("total_tasks", "tasks", Kind.INTEGER),
        plain("candidate_wins", "won", Kind.INTEGER),
        plain("baseline_wins", "lost", Kind.INTEGER),
        plain("last_recorded_at", "recorded (UTC)", Kind.TIMESTAMP),
    )
    return Page(
        "experiments.html.j2",
        "Experiments",
        {
            "list": listed(view, "Experiments", listing, order, found, columns),
            "agents": [(name, name) for name in browsing.known_agents(view.connection)],
            "verdicts": VERDICTS,
        },
        "experiments",
    )


def _named(view: View, row: Record) -> Cell:
    is_compared = row["candidate_version"] != ""
    return Cell(
        printable(str(row["experiment_id"])),
        view.link(
            "/experiment",
            id=row["experiment_id"],
            group=row["candidate_group"],
            version=row["candidate_version"],
        ),
        small=printable(str(row["headline"])) if is_compared else "No candidate yet.",
    )


def _candidate(row: Record) -> Cell:
    if row["candidate_version"] == "":
        return Cell(NULL)
    return Cell(
        cell(row["candidate_version"], Kind.TEXT), small=cell(row["candidate_group"], Kind.TEXT)
    )


def improvement(row: Record) -> Cell:
    """Return the deciding metric's improvement."""
    is_there = row["improvement_pct"] is not None
    return difference(row["improvement_pct"], Kind.POINTS)._replace(
        style="", small=cell(row["primary_metric"], Kind.TEXT) if is_there else ""
    )


def interval(row: Record, extent: float) -> Cell:
    """Return it as a bar, on an axis that goes so far."""
    low, high = row["improvement_low_pct"], row["improvement_high_pct"]
    return Cell("", bar=bar(low, row["improvement_pct"], high, extent))
