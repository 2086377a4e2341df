"""Tables as a page has them: text ready for a template, which escapes it; nothing computed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.render import NULL, cell, number
from ..show.views import metric_kind
from ..tools.tables import NUMERIC, Kind
from . import drawing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..marts.listing import Listing, Order, Page
    from ..tools.tables import Table
    from .drawing import Bar
    from .view import View

    Record = Mapping[str, object]

_STYLES: Final = {
    "deploy": "good", "needs_review": "unsure", "reject": "bad", "candidate": "good",
    "baseline": "bad", "mended": "good", "broke": "bad", "pass": "good", "blocked": "bad",
    "inconclusive": "unsure", "critical": "bad", "high": "bad", "medium": "unsure",
}  # fmt: skip
_WORDS: Final = {
    "needs_review": "needs review", "candidate": "better", "baseline": "worse",
    "no_baseline_result": "no baseline result", "no_candidate_result": "no candidate result",
    "dataset_version_differs": "other dataset version",
    "evaluator_version_differs": "other evaluator version",
}  # fmt: skip


class Cell(NamedTuple):
    """One cell: its text, where it leads, what it says (a class), what stands small below it."""

    text: str
    href: str | None = None
    style: str = ""
    small: str = ""
    bar: Bar | None = None
    is_word: bool = False
    """Whether it is one of a few words, and shown as a badge."""


class Heading(NamedTuple):
    """One column's heading."""

    text: str
    is_numeric: bool = False
    href: str | None = None
    """Sorts by it."""
    sorted: str | None = None
    """ascending or descending, where the table is sorted by it."""


class Grid(NamedTuple):
    """A table; the first cell of a row names it."""

    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    csv: str | None = None


class Shown(NamedTuple):
    """A column of a listing as a page shows it."""

    column: str
    """What its heading sorts by; nothing for what cannot be sorted by."""
    heading: str
    cell: Callable[[Record], Cell]
    is_numeric: bool = False
    first_is_largest: bool = False
    """Whether a first click sorts from the largest."""


class Listed(NamedTuple):
    """A page of a listing, with ways to the next."""

    grid: Grid
    total: int
    previous: str | None
    next: str | None


def listed(  # noqa: PLR0913, PLR0917  what is listed, and how
    view: View,
    caption: str,
    listing: Listing,
    order: Order,
    page: Page,
    columns: Sequence[Shown],
) -> Listed:
    """Return a page of a listing, its headings sorting it."""
    records = page.table.records()
    headings = []
    for shown in columns:
        is_sorted = shown.column == order.column
        turned = not order.is_descending if is_sorted else shown.first_is_largest
        headings.append(
            Heading(
                shown.heading,
                shown.is_numeric,
                view.here(sort=("-" if turned else "") + shown.column, after=None, before=None)
                if shown.column
                else None,
                ("descending" if order.is_descending else "ascending") if is_sorted else None,
            )
        )
    return Listed(
        Grid(
            caption,
            headings,
            [[shown.cell(record) for shown in columns] for record in records],
            view.csv(),
        ),
        page.total,
        view.here(before=_place(records[0], listing, order), after=None)
        if page.has_before and records
        else None,
        view.here(after=_place(records[-1], listing, order), before=None)
        if page.has_after and records
        else None,
    )


def of_table(caption: str, table: Table, csv: str | None = None) -> Grid:
    """Return a table for people as it is."""
    return Grid(
        caption,
        [
            Heading(column.heading or column.name.replace("_", " "), column.kind in NUMERIC)
            for column in table.columns
        ],
        [
            [
                Cell(cell(value, column.kind))
                for value, column in zip(row, table.columns, strict=True)
            ]
            for row in table.rows
        ],
        csv,
    )


def plain(column: str, heading: str, kind: Kind = Kind.TEXT) -> Shown:
    """Return a column that shows its values as they are; times and numbers from the largest."""
    is_numeric = kind in NUMERIC
    style = "time" if kind is Kind.TIMESTAMP else ""
    return Shown(
        column,
        heading,
        lambda record: Cell(cell(record[column], kind), style=style),
        is_numeric,
        is_numeric or kind is Kind.TIMESTAMP,
    )


def worded(column: str, heading: str) -> Shown:
    """Return a column of words that have a colour."""
    return Shown(column, heading, lambda record: word(record[column]))


def word(value: object) -> Cell:
    """Return a word with its colour."""
    return Cell(
        NULL if value in (None, "") else _WORDS.get(str(value), cell(value, Kind.TEXT)),
        style=style_of(value),
        is_word=value not in (None, ""),
    )


def style_of(value: object) -> str:
    """Return the class of a word."""
    return _STYLES.get(value, "") if isinstance(value, str) else ""


def difference(value: object, kind: Kind, scale: float = 1.0) -> Cell:
    """Return a signed number where positive is better."""
    if not isinstance(value, int | float):
        return Cell(NULL)
    scaled = scale * value
    shown = number(scaled, kind)
    if scaled > 0 and shown.strip("+0.,"):
        shown = shown if shown.startswith("+") else f"+{shown}"
    return Cell(shown, style="good" if scaled > 0 else "bad" if scaled < 0 else "")


def kind_of(metric: object, kind: object = None) -> Kind:
    """Return what a metric's values mean."""
    return Kind.SCORE if kind == "score" else metric_kind(str(metric))


def bar(low: object, value: object, high: object, extent: float) -> Bar | None:
    """Return an interval as a picture; None without one."""
    if not all(isinstance(each, int | float) for each in (low, value, high)):
        return None
    return drawing.bar(float(str(low)), float(str(value)), float(str(high)), extent)


def _place(record: Record, listing: Listing, order: Order) -> str:
    """Return a row's place as an address has it."""
    value = record[order.column]
    if isinstance(value, datetime):
        value = value.isoformat()
    parts = [value, *(record[name] for name in listing.key)]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
