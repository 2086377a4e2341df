"""Tables of a report: text as a person reads it, ready for a template; nothing computed.

The templates escape; nothing here does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.render import NULL, cell, number, printable, with_unit
from ..show.views import metric_kind
from ..tools.tables import NUMERIC, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record

LONG: Final = 120
"""Characters above which a cell folds its text."""
_LINKS: Final = ("https://", "http://")


class Cell(NamedTuple):
    """One cell: its text, what it says (a CSS class), and where it leads."""

    text: str
    style: str = ""
    links: Sequence[tuple[str, str]] = ()
    """Pairs of text and address."""

    @property
    def is_long(self) -> bool:
        """Tell whether to fold the text."""
        return len(self.text) > LONG

    @property
    def opening(self) -> str:
        """Return the beginning of a long text."""
        return self.text[: LONG - 20] + "…"


class Heading(NamedTuple):
    """One column's heading."""

    text: str
    is_numeric: bool = False
    is_wide: bool = False
    """Holds sentences."""


def figures(text: str) -> Heading:
    """Return the heading of a column of numbers."""
    return Heading(text, is_numeric=True)


class Grid(NamedTuple):
    """A table with its caption; the first cell of a row names the row."""

    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def number_of(row: Record, name: str) -> float | None:
    """Return a column's number; None when null, not a number, or not in this mart."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else None


def count_of(row: Record, name: str) -> int:
    """Return a column's count, 0 when null or not in this mart."""
    value = row.get(name)
    return value if isinstance(value, int) else 0


def text_of(row: Record, name: str) -> str | None:
    """Return a column's text on one line, None when null or not in this mart."""
    value = row.get(name)
    return None if value is None else printable(str(value))


def texts_of(row: Record, name: str) -> list[str]:
    """Return a column's array of texts, empty when null or not in this mart."""
    value = row.get(name)
    return [printable(str(item)) for item in value] if isinstance(value, list) else []


def kind_of_metric(row: Record) -> Kind:
    """Return what the values of a row's metric mean."""
    return Kind.SCORE if row.get("kind") == "score" else metric_kind(str(row["metric"]))


def told(value: float | None, kind: Kind) -> str:
    """Return a value with its unit."""
    return with_unit(value, kind)


def signed(value: float | None, kind: Kind) -> str:
    """Return a difference with its sign and unit; of scores in points, their hundredths."""
    if value is None:
        return NULL
    if kind is Kind.SCORE:
        return f"{number(100 * value, Kind.POINTS)} points"
    text = with_unit(value, kind)
    return f"+{text}" if value > 0 and number(value, kind) != number(0.0, kind) else text


def interval(low: str, high: str) -> str:
    """Return an interval, or a dash when it has no ends."""
    return NULL if NULL in {low, high} else f"{low} … {high}"


def probability(value: float | None) -> str:
    """Return a p-value."""
    return NULL if value is None else number(value, Kind.PROBABILITY)


def links(addresses: Sequence[object], text: str) -> list[tuple[str, str]]:
    """Return links to web addresses; anything else is no link."""
    web = [
        address
        for address in addresses
        if isinstance(address, str) and address.lower().startswith(_LINKS)
    ]
    if len(web) == 1:
        return [(text, web[0])]
    return [(f"{text} {place}", address) for place, address in enumerate(web, 1)]


def generic(caption: str, rows: Sequence[Record], wanted: Sequence[tuple[str, str, Kind]]) -> Grid:
    """Return the wanted columns that a mart has and that are not wholly null.

    Args:
        caption: of the table.
        rows: all with the same columns.
        wanted: column, heading and kind.
    """
    shown = [
        (name, text, kind)
        for name, text, kind in wanted
        if any(row.get(name) is not None for row in rows)
    ]
    return Grid(
        caption,
        [Heading(text, kind in NUMERIC) for _, text, kind in shown],
        [[Cell(_shown(row.get(name), kind)) for name, _, kind in shown] for row in rows],
    )


def _shown(value: object, kind: Kind) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return with_unit(value, kind)
    return cell(value, kind)
