"""Every metric of a comparison: the forest plot, the table, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loader.render import NULL
from loader.report import charts
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
    percent,
    probability,
    signed,
    text_of,
    texts_of,
    told,
)
from loader.summary_page import changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.report.charts import Interval
    from loader.report.data import Record
    from loader.report.drawing import Chart

_RATIOS: Final = frozenset({"latency", "tokens", "cost"})
FLAGS: Final = {
    "no_pairs": "no task has it in both arms",
    "low_coverage": "many tasks lack a pair",
    "few_clusters": "few independent groups of tasks",
    "zero_variance": "every difference is the same",
    "zero_baseline": "the baseline is 0",
    "missing_flips_sign": "missing results could turn it round",
    "underpowered": "too few tasks for its margin",
    "incomparable_versions": "dataset or evaluator versions differ",
    "non_positive_values": "values of 0 or less left out of the ratio",
}
_MOST_LINES: Final = 40


def sign_of(row: Record) -> int:
    """Return -1 where less is better, else 1."""
    sign = row.get("direction_sign")
    if isinstance(sign, int | float):
        return -1 if sign < 0 else 1
    return -1 if row.get("direction") == "lower" else 1


def forests(rows: Sequence[Record], label: str = "metric") -> list[Chart]:
    """Draw scores in points, and latency, tokens and cost in per cent.

    Args:
        rows: of a mart of comparisons; rows without an estimate are left out.
        label: the column that names a line.
    """
    points = [line for row in rows if (line := _points_line(row, label))][:_MOST_LINES]
    ratios = [line for row in rows if (line := _ratio_line(row, label))][:_MOST_LINES]
    drawn = []
    if points:
        drawn.append(charts.forest(points, "points", _in_words(points, "points")))
    if ratios:
        drawn.append(charts.forest(ratios, "% saved", _in_words(ratios, "% saved")))
    return drawn


def metric_grid(rows: Sequence[Record], primary: str | None) -> Grid:
    """Return the table of every metric, the primary one first."""
    ordered = sorted(rows, key=lambda row: (row["metric"] != primary,))
    headings = [
        Heading("metric"), figures("pairs"), figures("baseline"),
        figures("candidate"), figures("difference"), figures("95 % interval"),
        figures("relative"), figures("accepted loss"), figures("p"),
        figures("p (Holm)"), Heading("notes", is_wide=True),
    ]  # fmt: skip
    return Grid(
        "Candidate against baseline, mean over tasks that both arms have",
        headings,
        [_metric_cells(row, primary) for row in ordered],
        note="difference = candidate − baseline; green and red say better and worse.",  # noqa: RUF001  a minus sign
    )


def brief_grid(rows: Sequence[Record], primary: str | None) -> Grid:
    """Return what a pull request has room for: metric, both means, difference, interval, notes."""
    whole = metric_grid(rows, primary)
    chosen = [0, 2, 3, 4, 5, 10]
    return Grid(
        whole.caption,
        [whole.headings[place] for place in chosen],
        [[row[place] for place in chosen] for row in whole.rows],
    )


def plain_grid(summary: Record) -> Grid:
    """Return the table of average changes, for when no intervals are built."""
    table = changes(summary)
    return Grid(
        "Average change, + is better",
        [Heading("metric"), figures("change")],
        [[Cell(str(name)), Cell(str(change))] for name, change in table.rows],
    )


def missing_grid(rows: Sequence[Record]) -> Grid:
    """Return what each metric lacks, and what that could change."""
    headings = [
        Heading("metric"), figures("tasks"), figures("pairs"),
        figures("only baseline"), figures("only candidate"),
        figures("not comparable"), figures("neither scored"),
        figures("coverage"), figures("difference, missing as 0"),
        figures("worst … best case"),
    ]  # fmt: skip
    return Grid(
        "What is missing, metric by metric", headings, [_missing_cells(row) for row in rows]
    )


def _metric_cells(row: Record, primary: str | None) -> list[Cell]:
    kind = kind_of_metric(row)
    name = str(text_of(row, "metric"))
    difference = number_of(row, "mean_difference")
    low, high = (number_of(row, f"ci_{end}") for end in ("low", "high"))
    margin = number_of(row, "non_inferiority_margin")
    is_ratio = row.get("kind") in _RATIOS
    ratio = ""
    if number_of(row, "ratio") is not None:
        ends = [_relative(row, f"ratio_{end}").removesuffix(" %") for end in ("low", "high")]
        ratio = f"{_relative(row, 'ratio')} ({interval(*ends)})"
    accepted = NULL if not margin else f"{100 * margin:.3g} {'%' if is_ratio else 'points'}"
    signed_difference = None if difference is None else sign_of(row) * difference
    return [
        Cell(f"{name} (decides)" if row["metric"] == primary else name),
        Cell(f"{count_of(row, 'n_pairs'):,}"),
        Cell(told(number_of(row, "baseline_mean"), kind)),
        Cell(told(number_of(row, "candidate_mean"), kind)),
        Cell(signed(difference, kind), direction_style(signed_difference)),
        Cell(interval(bare(low, kind), bare(high, kind))),
        Cell(ratio or NULL),
        Cell(accepted),
        Cell(probability(number_of(row, "p_value"))),
        Cell(probability(number_of(row, "p_value_holm"))),
        Cell(", ".join(FLAGS.get(flag, flag) for flag in texts_of(row, "flags")) or NULL),
    ]


def _missing_cells(row: Record) -> list[Cell]:
    kind = kind_of_metric(row)
    coverage = number_of(row, "pair_coverage")
    ends = (number_of(row, "worst_case_low"), number_of(row, "best_case_high"))
    counts = (
        "n_tasks", "n_pairs", "n_baseline_only", "n_candidate_only", "n_incomparable", "n_unscored",
    )  # fmt: skip
    return [
        Cell(str(text_of(row, "metric"))),
        *(Cell(f"{count_of(row, name):,}" if name in row else NULL) for name in counts),
        Cell(NULL if coverage is None else f"{100 * coverage:.1f} %"),
        Cell(signed(number_of(row, "mean_difference_missing_as_zero"), kind)),
        Cell(interval(*(signed(end, kind) for end in ends))),
    ]


def _relative(row: Record, name: str) -> str:
    """Return a ratio as the change it means: 0.93 is -7 %."""
    value = number_of(row, name)
    return percent(None if value is None else 100 * (value - 1))


def _points_line(row: Record, label: str) -> Interval | None:
    difference = number_of(row, "mean_difference")
    if row.get("kind", "score") != "score" or difference is None:
        return None
    ends = [number_of(row, f"ci_{end}") for end in ("low", "high")]
    margin = number_of(row, "non_inferiority_margin")
    return _line(row, label, [difference, *ends], 100.0 * sign_of(row), margin)


def _ratio_line(row: Record, label: str) -> Interval | None:
    ratio = number_of(row, "ratio")
    if row.get("kind") not in _RATIOS or ratio is None:
        return None
    ends = [number_of(row, f"ratio_{end}") for end in ("low", "high")]
    changed = [None if value is None else value - 1 for value in (ratio, *ends)]
    return _line(
        row, label, changed, 100.0 * sign_of(row), number_of(row, "non_inferiority_margin")
    )


def _line(
    row: Record, label: str, values: Sequence[float | None], scale: float, margin: float | None
) -> Interval:
    """Return a line whose values are scaled so that right is better."""
    value, low, high = (None if value is None else scale * value for value in values)
    if low is not None and high is not None and low > high:
        low, high = high, low
    accepted = 100 * margin if margin else None
    return charts.Interval(str(text_of(row, label)), value or 0.0, low, high, accepted)


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
