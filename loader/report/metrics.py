"""Every metric of a comparison: the forest plot, the table, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..show.metric_page import kind_of_values
from ..show.render import NULL
from ..show.wording import RATIOS, ROLES, finding, improvement_of, notes, say
from . import charts
from .grids import (
    Cell,
    Grid,
    Heading,
    count_of,
    direction_style,
    figures,
    interval,
    number_of,
    probability,
    signed,
    text_of,
    texts_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record
    from .charts import Interval
    from .drawing import Chart

_MOST_LINES: Final = 40
_ORDER: Final = list(ROLES)
_READINGS: Final = {
    "better": charts.BETTER,
    "worse": charts.WORSE,
    "harmed": charts.WORSE,
}
"""Finding → what a picture says."""


def forests(rows: Sequence[Record], label: str = "metric") -> list[Chart]:
    """Draw shares in points, and latency, tokens and cost in per cent saved.

    Args:
        rows: of a mart of comparisons; rows without an improvement are left out, as are
            metrics whose better side nobody knows.
        label: the column that names a line.
    """
    drawn = []
    for unit, axis in (("points", "points"), ("%", "% saved")):
        lines = [line for row in rows if (line := _line(row, label, unit))][:_MOST_LINES]
        if lines:
            drawn.append(charts.forest(lines, axis, _in_words(lines, axis)))
    return drawn


def in_order(rows: Sequence[Record]) -> list[Record]:
    """Return metrics as a person reads them: who has most say first."""
    return sorted(
        rows,
        key=lambda row: (
            _ORDER.index(str(row["role"])) if row.get("role") in ROLES else len(_ORDER),
            -(number_of(row, "weight") or 0.0),
            str(row["metric"]),
        ),
    )


def metric_grid(rows: Sequence[Record]) -> Grid:
    """Return the table of every metric, the deciding one first."""
    headings = [
        Heading("metric"), Heading("say"), figures("pairs"), figures("baseline"),
        figures("candidate"), figures("improvement"), figures("95 % interval"),
        figures("margin"), figures("p"), Heading("which says", is_wide=True),
        Heading("notes", is_wide=True),
    ]  # fmt: skip
    return Grid(
        "Candidate against baseline, mean over tasks that both arms have",
        headings,
        [_metric_cells(row) for row in in_order(rows)],
        note="improvement: + is better; points of scores, per cent saved of the rest.",
    )


def brief_grid(rows: Sequence[Record]) -> Grid:
    """Return what a pull request has room for."""
    whole = metric_grid(rows)
    chosen = [0, 1, 3, 4, 5, 6, 7, 9]
    return Grid(
        whole.caption,
        [whole.headings[place] for place in chosen],
        [[row[place] for place in chosen] for row in whole.rows],
    )


def missing_grid(rows: Sequence[Record]) -> Grid:
    """Return what each metric lacks, and what that could change."""
    headings = [
        Heading("metric"), figures("tasks"), figures("pairs"),
        figures("only baseline"), figures("only candidate"),
        figures("not comparable"), figures("neither scored"),
        figures("coverage"), figures("improvement, missing as the worst"),
        figures("difference, worst … best case"),
    ]  # fmt: skip
    return Grid(
        "What is missing, metric by metric", headings, [_missing_cells(row) for row in rows]
    )


def _metric_cells(row: Record) -> list[Cell]:
    kind = kind_of_values(row)
    shown = improvement_of(row)
    style = direction_style(shown.value) if shown.is_known else ""
    return [
        Cell(str(text_of(row, "metric"))),
        Cell(say(row)),
        Cell(f"{count_of(row, 'n_pairs'):,}"),
        Cell(told(number_of(row, "baseline_mean"), kind)),
        Cell(told(number_of(row, "candidate_mean"), kind)),
        Cell(shown.text(), style),
        Cell(shown.interval()),
        Cell(shown.accepted()),
        Cell(probability(number_of(row, "p_value"))),
        Cell(finding(row)),
        Cell(", ".join(notes(texts_of(row, "flags"), text_of(row, "finding"))) or NULL),
    ]


def _missing_cells(row: Record) -> list[Cell]:
    kind = kind_of_values(row)
    coverage = number_of(row, "pair_coverage")
    ends = (number_of(row, "worst_case_low"), number_of(row, "best_case_high"))
    second = None if row["kind"] in RATIOS else number_of(row, "improvement_missing_as_zero")
    counts = (
        "n_tasks", "n_pairs", "n_baseline_only", "n_candidate_only", "n_incomparable", "n_unscored",
    )  # fmt: skip
    return [
        Cell(str(text_of(row, "metric"))),
        *(Cell(f"{count_of(row, name):,}" if name in row else NULL) for name in counts),
        Cell(NULL if coverage is None else f"{100 * coverage:.1f} %"),
        Cell(signed(second, kind)),
        Cell(interval(*(signed(end, kind) for end in ends))),
    ]


def _line(row: Record, label: str, unit: str) -> Interval | None:
    """Return a line of a forest where the row's improvement is in this unit."""
    shown = improvement_of(row)
    if shown.value is None or shown.unit != unit or not shown.is_known:
        return None
    return charts.Interval(
        str(text_of(row, label)),
        shown.value,
        shown.low,
        shown.high,
        shown.margin or None,
        _READINGS.get(str(row.get("finding")), charts.UNCLEAR),
    )


def _in_words(lines: Sequence[Interval], unit: str) -> str:
    """Say what a forest plot shows."""
    by_reading = {
        reading: [line.label for line in lines if line.reading == reading]
        for reading in (charts.BETTER, charts.WORSE, charts.UNCLEAR)
    }
    parts = [
        f"{reading}: {', '.join(label[:60] for label in labels)}"
        for reading, labels in by_reading.items()
        if labels
    ]
    return f"Forest plot in {unit}. {'; '.join(parts)}. The table below has the numbers."
