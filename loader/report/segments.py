"""Segments of an experiment: the same comparison within each agent or category."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.render import NULL
from loader.report.grids import (
    Cell,
    Grid,
    Heading,
    bare,
    count_of,
    direction_style,
    figures,
    interval,
    kind_of_metric,
    number_of,
    probability,
    signed,
    text_of,
)
from loader.report.metrics import sign_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.report.data import Record


def labelled(rows: Sequence[Record], metric: str | None) -> list[Record]:
    """Return the segments of one metric, each with a `label` such as "category: review"."""
    chosen = [row for row in rows if row.get("metric", metric) == metric]
    return [{**row, "metric": metric, "label": _label(row)} for row in chosen]


def segment_grid(rows: Sequence[Record], metric: str) -> Grid:
    """Return the table of segments; `rows` as `labelled` returns them."""
    headings = [
        Heading("segment"), figures("pairs"), figures("difference"),
        figures("95 % interval"), figures("p"), figures("p (BH)"),
        Heading("notes"),
    ]  # fmt: skip
    return Grid(f"{metric} by segment", headings, [_cells(row) for row in rows])


def opposes_the_whole(rows: Sequence[Record]) -> bool:
    """Tell whether every segment points the other way than the whole (Simpson's paradox)."""
    return any(row.get("simpson_flag") is True for row in rows)


def _cells(row: Record) -> list[Cell]:
    kind = kind_of_metric(row)
    difference = number_of(row, "mean_difference")
    ends = (bare(number_of(row, f"ci_{end}"), kind) for end in ("low", "high"))
    simpson = "opposes the whole" if opposes_the_whole([row]) else NULL
    return [
        Cell(str(row["label"])),
        Cell(f"{count_of(row, 'n_pairs'):,}"),
        Cell(
            signed(difference, kind),
            direction_style(None if difference is None else sign_of(row) * difference),
        ),
        Cell(interval(*ends)),
        Cell(probability(number_of(row, "p_value"))),
        Cell(probability(number_of(row, "p_value_bh"))),
        Cell(simpson),
    ]


def _label(row: Record) -> str:
    return f"{text_of(row, 'segment_kind')}: {text_of(row, 'segment')}"
