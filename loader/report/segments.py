"""Segments of an experiment: the same comparison within each agent, category or split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..show.render import NULL
from ..show.wording import finding, improvement_of
from .forest import style_of
from .grids import (
    Cell,
    Grid,
    Heading,
    count_of,
    figures,
    number_of,
    probability,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record


def labelled(rows: Sequence[Record], metric: str | None) -> list[Record]:
    """Return the segments of one metric, each with a `label` such as "category: review"."""
    chosen = [row for row in rows if row.get("metric", metric) == metric]
    return [{**row, "metric": metric, "label": _label(row)} for row in chosen]


def segment_grid(rows: Sequence[Record], metric: str) -> Grid:
    """Return the table of segments; `rows` as `labelled` returns them."""
    headings = [
        Heading("segment"), figures("pairs"), figures("improvement"),
        figures("95 % interval"), figures("p"), figures("p (BH)"),
        Heading("which says", is_wide=True), Heading("notes"),
    ]  # fmt: skip
    return Grid(f"{metric} by segment", headings, [_cells(row) for row in rows])


def opposes_the_whole(rows: Sequence[Record]) -> bool:
    """Tell whether every segment points the other way than the whole (Simpson's paradox)."""
    return any(row.get("simpson_flag") is True for row in rows)


def _cells(row: Record) -> list[Cell]:
    shown = improvement_of(row)
    simpson = "opposes the whole" if opposes_the_whole([row]) else NULL
    return [
        Cell(str(row["label"])),
        Cell(f"{count_of(row, 'n_pairs'):,}"),
        Cell(shown.text(), style_of(row)),
        Cell(shown.interval()),
        Cell(probability(number_of(row, "p_value"))),
        Cell(probability(number_of(row, "p_value_bh"))),
        Cell(finding(row)),
        Cell(simpson),
    ]


def _label(row: Record) -> str:
    return f"{text_of(row, 'segment_kind')}: {text_of(row, 'segment')}"
