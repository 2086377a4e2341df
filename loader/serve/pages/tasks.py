"""Tasks of a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...marts import browsing, lists
from ...marts.listing import Order
from ...show.render import printable, with_unit
from ...tools.tables import Kind
from ..asking import Unanswerable
from ..grids import Cell, Shown, difference, kind_of, listed, word
from ..view import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...marts.browsing import Candidate
    from ...marts.listing import Listing
    from ..asking import Asked
    from ..view import View

    Record = Mapping[str, object]

SHOWS: Final = {
    "flipped": "flipped",
    "broke": "passed before, fail now",
    "mended": "failed before, pass now",
    "worse": "scored worse",
    "better": "scored better",
    "failed": "ended badly in the candidate",
    "missing": "cannot be compared",
}
_KINDS: Final = ("agent", "category", "split")


def filters(asked: Asked, candidate: Candidate) -> tuple[Listing, dict[str, object], Order]:
    """Return what `tasks` lists."""
    segment = asked.text("segment")
    kind, _, name = (segment or "").partition(":")
    if segment is not None and (kind not in _KINDS or not name):
        raise Unanswerable(f"segment is KIND:NAME, KIND one of: {', '.join(_KINDS)}.")
    return (
        lists.TASKS,
        {
            **candidate.parameters(),
            "search": asked.pattern(),
            "show": asked.choice("show", SHOWS),
            "segment": segment,
        },
        asked.order(lists.TASKS, Order("primary_difference")),
    )


def candidate_of(view: View) -> Candidate:
    """Return the candidate that an address of tasks names.

    Raises:
        UnknownName: there is no such experiment.
        Unanswerable: it has no such candidate, or none.
    """
    summaries = browsing.summaries(view.connection, view.asked.name("experiment"))
    if not summaries:
        raise Unanswerable("The experiment has no candidate yet, and so no task by task.")
    return view.asked.candidate(summaries)


def tasks(view: View) -> Page:
    """Return the list of tasks."""
    candidate = candidate_of(view)
    listing, chosen, order = filters(view.asked, candidate)
    found = view.read(listing, chosen, order)
    records = found.table.records()
    metric = next((row["primary_metric"] for row in records if row["primary_metric"]), None)
    kind = kind_of(metric or "score")
    values = Kind.SCORE if kind is Kind.NUMBER else kind

    def named(row: Record) -> Cell:
        reason = row["not_comparable_reason"]
        return Cell(
            printable(str(row["task_id"])),
            view.link("/task", **address(candidate), task=row["task_id"]),
            small=word(reason).text if reason is not None else "",
        )

    def of_arm(arm: str, column: str, kind: Kind) -> Shown:
        return Shown(
            f"{arm}_{column}",
            arm if column == "primary_value" else f"{arm} {column.partition('_')[0]}",
            lambda row: Cell(
                with_unit(row[f"{arm}_{column}"], kind),
                small="ended badly"
                if column == "primary_value" and row[f"{arm}_success"] is False
                else "",
            ),
            is_numeric=True,
            first_is_largest=True,
        )

    columns = (
        Shown("task_id", "task", named),
        Shown("winner", "result", lambda row: word(row["flip"] or row["winner"])),
        of_arm("baseline", "primary_value", values),
        of_arm("candidate", "primary_value", values),
        Shown(
            "primary_difference",
            "difference",
            lambda row: difference(row["primary_difference"], Kind.CHANGE),
            is_numeric=True,
        ),
        of_arm("baseline", "latency_ms", Kind.MILLISECONDS),
        of_arm("candidate", "latency_ms", Kind.MILLISECONDS),
        of_arm("baseline", "cost_usd", Kind.USD),
        of_arm("candidate", "cost_usd", Kind.USD),
    )
    return Page(
        "tasks.html.j2",
        f"Tasks of {printable(candidate.experiment_id)}",
        {
            "list": listed(view, "Tasks", listing, order, found, columns),
            "metric": None if metric is None else printable(str(metric)),
            "candidate": candidate,
            "experiment": view.link(
                "/experiment",
                id=candidate.experiment_id,
                group=candidate.group,
                version=candidate.version,
            ),
            "shows": SHOWS,
            "segments": [
                (f"{part['segment_kind']}:{part['segment']}", _segment(part))
                for part in browsing.segments(view.connection, candidate)
            ],
        },
        "experiments",
    )


def address(candidate: Candidate) -> dict[str, object]:
    """Return the parameters by which pages of tasks name a candidate."""
    return {
        "experiment": candidate.experiment_id,
        "group": candidate.group,
        "version": candidate.version,
    }


def _segment(part: Record) -> str:
    return printable(f"{part['segment_kind']} {part['segment']}")
