"""Two candidates beside each other: each against its own baseline, and task by task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from ...marts import browsing, lists
from ...marts.listing import Order
from ...show import wording
from ...show.metric_page import kind_of_values
from ...show.render import NULL, printable, with_unit
from ...tools.tables import Kind
from .. import drawing
from ..asking import Unanswerable
from ..grids import Cell, Grid, Heading, Shown, bar, difference, kind_of, listed, word
from ..view import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...marts.browsing import Candidate
    from ...marts.listing import Listing
    from ..view import View

    Record = Mapping[str, object]

_NAMES = ("a", "b")


class Side(NamedTuple):
    """One of the two."""

    candidate: Candidate
    summary: Record
    metrics: Sequence[Record]


class Card(NamedTuple):
    """What a page says of one of the two."""

    letter: str
    name: str
    what: str
    verdict: Cell
    headline: str
    href: str


def compare(view: View) -> Page:
    """Return two candidates side by side, or what to choose from."""
    values: dict[str, object] = {
        "choices": [
            (_written(each), printable(f"{each.experiment_id}: {each.group} {each.version}"))
            for each in browsing.known_candidates(view.connection)
        ],
        "cards": None,
        "metrics": None,
        "list": None,
        "chosen": {name: view.asked.text(name) for name in _NAMES},
    }
    if all(view.asked.text(name) for name in _NAMES):
        sides = [_side(view, name) for name in _NAMES]
        values["chosen"] = {
            name: _written(side.candidate) for name, side in zip(_NAMES, sides, strict=True)
        }
        values["cards"] = [
            _card(view, name, side) for name, side in zip(_NAMES, sides, strict=True)
        ]
        values["metrics"] = _metrics(sides)
        listing, chosen, order = _filters(view, sides)
        found = view.read(listing, chosen, order)
        values["is_same_metric"] = _metric(sides) is not None
        if values["is_same_metric"]:
            values["list"] = listed(
                view, "Tasks that both have", listing, order, found, _columns(view, sides)
            )
    return Page("compare.html.j2", "Compare", values, "compare")


def filters(view: View) -> tuple[Listing, dict[str, object], Order]:
    """Return which tasks `compare` lists."""
    return _filters(view, [_side(view, name) for name in _NAMES])


def _filters(view: View, sides: Sequence[Side]) -> tuple[Listing, dict[str, object], Order]:
    one, two = (side.candidate for side in sides)
    metric = _metric(sides)
    deciding = next((row for row in sides[0].metrics if row["metric"] == metric), None)
    is_lower = deciding is not None and deciding["direction"] == "lower"
    return (
        lists.BOTH,
        {
            "one_experiment": one.experiment_id,
            "one_candidate": one.group,
            "one_version": one.version,
            "two_experiment": two.experiment_id,
            "two_candidate": two.group,
            "two_version": two.version,
            "sign": -1.0 if is_lower else 1.0,
            "search": view.asked.pattern(),
        },
        view.asked.order(lists.BOTH, Order("difference")),
    )


def _side(view: View, name: str) -> Side:
    """Return what an address names: an experiment, or a list of it, group and version."""
    experiment, group, version = view.asked.named(name)
    for row in browsing.summaries(view.connection, experiment):
        if group in (None, row["candidate_group"]) and version in (
            None,
            row["candidate_version"],
        ):
            candidate = browsing.Candidate(
                experiment, str(row["candidate_group"]), str(row["candidate_version"])
            )
            return Side(candidate, row, browsing.metrics(view.connection, candidate))
    raise Unanswerable(f"The experiment of {name} has no such candidate.")


def _written(candidate: Candidate) -> str:
    return json.dumps(list(candidate), ensure_ascii=False, separators=(",", ":"))


def _metric(sides: Sequence[Side]) -> str | None:
    """Return the metric that decides both; None where each is decided by its own."""
    one, two = (side.summary["primary_metric"] for side in sides)
    return str(one) if one == two and one is not None else None


def _card(view: View, name: str, side: Side) -> Card:
    candidate = side.candidate
    return Card(
        name.upper(),
        printable(candidate.experiment_id),
        printable(f"{candidate.group} {candidate.version}"),
        word(side.summary["recommendation"]),
        wording.headline(side.summary),
        view.link(
            "/experiment",
            id=candidate.experiment_id,
            group=candidate.group,
            version=candidate.version,
        ),
    )


def _metrics(sides: Sequence[Side]) -> Grid | None:
    """Return what each gained over its own baseline, metric by metric."""
    rows = [{str(row["metric"]): row for row in side.metrics} for side in sides]
    names = dict.fromkeys([*rows[0], *rows[1]])
    if not names:
        return None
    shown = {
        (place, name): wording.improvement_of(of_side[name])
        for place, of_side in enumerate(rows)
        for name in of_side
    }
    extents: dict[str, float] = {}
    for each in shown.values():
        extents[each.unit] = max(extents.get(each.unit, 0.0), drawing.extent([each.low, each.high]))

    def of_side(place: int, name: str) -> list[Cell]:
        row = rows[place].get(name)
        if row is None:
            return [Cell(NULL), Cell(NULL), Cell("")]
        each = shown[place, name]
        picture = (
            bar(each.low, each.value, each.high, extents[each.unit])
            if each.unit and each.is_known
            else None
        )
        return [
            Cell(with_unit(row["candidate_mean"], kind_of_values(row))),
            Cell(each.text(), small=each.interval()),
            Cell("", bar=picture),
        ]

    headings = [Heading("metric")]
    for letter in ("A", "B"):
        headings += [
            Heading(f"{letter}: mean", is_numeric=True),
            Heading(f"{letter}: over its baseline", is_numeric=True),
            Heading("worse … better"),
        ]
    return Grid(
        "Each against its own baseline",
        headings,
        [[Cell(printable(name)), *of_side(0, name), *of_side(1, name)] for name in names],
    )


def _columns(view: View, sides: Sequence[Side]) -> list[Shown]:
    metric = _metric(sides)
    row = next((row for row in sides[0].metrics if row["metric"] == metric), None)
    kind = kind_of(metric, None if row is None else row["kind"])

    def value(column: str, heading: str) -> Shown:
        return Shown(
            column,
            heading,
            lambda row: Cell(with_unit(row[column], kind)),
            is_numeric=True,
            first_is_largest=True,
        )

    candidate = sides[1].candidate
    return [
        Shown(
            "task_id",
            "task",
            lambda row: Cell(
                printable(str(row["task_id"])),
                view.link(
                    "/task",
                    experiment=candidate.experiment_id,
                    group=candidate.group,
                    version=candidate.version,
                    task=row["task_id"],
                ),
            ),
        ),
        value("one_value", f"A: {printable(str(metric))}"),
        value("two_value", f"B: {printable(str(metric))}"),
        Shown(
            "difference",
            "difference, + is better in B",
            lambda row: difference(row["difference"], Kind.CHANGE),
            is_numeric=True,
        ),
    ]
