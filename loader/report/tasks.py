"""Tasks of a comparison: the sorted differences, what flipped, what is lost, where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.render import NULL
from ..show.views import metric_kind
from ..tools.tables import Kind
from . import charts
from .grids import (
    Cell,
    Grid,
    Heading,
    direction_style,
    figures,
    links,
    number_of,
    signed,
    text_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.pages import Record
    from .drawing import Chart

MOST_LISTED: Final = 5_000
_MOST_FLIPPED: Final = 60
_EXTREMES: Final = 10
_MOST_MISSING: Final = 40
_ERROR: Final = 400
_ARMS: Final = ("baseline", "candidate")
REASONS: Final = {
    "no_baseline_result": "the baseline has no result",
    "no_candidate_result": "the candidate has no result",
    "dataset_version_differs": "the dataset's version differs",
    "evaluator_version_differs": "an evaluator's version differs",
}
Runs = dict[object, list[dict[str, object]]]


class Chosen(NamedTuple):
    """The tasks of one candidate that the page names."""

    broken: Sequence[Record]
    mended: Sequence[Record]
    worst: Sequence[Record]
    best: Sequence[Record]
    incomparable: Sequence[Record]

    def result_ids(self) -> list[object]:
        """Return the results whose runs the page links to."""
        return [
            task.get(f"{arm}_result_id")
            for task in (*self.broken, *self.mended, *self.worst, *self.best)
            for arm in _ARMS
        ]


def choose(tasks: Sequence[Record]) -> Chosen:
    """Choose the tasks to name; `tasks` come the worst difference first.

    A task flipped when all repetitions that count passed in one arm, and none in the other.
    """
    flips = [(task, _flip(task)) for task in tasks]
    known = [task for task in tasks if number_of(task, "primary_difference") is not None]
    worst = [task for task in known[:_EXTREMES] if (number_of(task, "primary_difference") or 0) < 0]
    best = [
        task
        for task in reversed(known[-_EXTREMES:])
        if (number_of(task, "primary_difference") or 0) > 0
    ]
    return Chosen(
        [task for task, flip in flips if flip < 0],
        [task for task, flip in flips if flip > 0],
        worst,
        best,
        [task for task in tasks if task["not_comparable_reason"] is not None],
    )


def chart(tasks: Sequence[Record], metric: str, kind: Kind) -> Chart | None:
    """Draw the differences of all tasks, sorted; `kind` is that of the metric's values."""
    scale = 100 if kind is Kind.SCORE else 1
    values = [
        scale * value
        for task in tasks
        if (value := number_of(task, "primary_difference")) is not None
    ]
    if not values:
        return None
    unit = f"{metric}, points" if scale > 1 else metric
    counts = (
        sum(value < 0 for value in values),
        sum(value > 0 for value in values),
    )
    return charts.differences(
        values,
        unit,
        f"Differences in {metric[:60]}, one per task, sorted: {counts[0]:,} below zero, "
        f"{counts[1]:,} above, of {len(values):,}.",
    )


def flipped_grids(chosen: Chosen, metric: str, kind: Kind, runs: Runs) -> list[Grid]:
    """Return the tasks that flipped: those that broke, then those that were mended."""
    grids = []
    for caption, tasks in (
        ("Broken: passed in the baseline, failed in the candidate", chosen.broken),
        ("Mended: failed in the baseline, passed in the candidate", chosen.mended),
    ):
        if tasks:
            left = len(tasks) - _MOST_FLIPPED
            note = f"{left:,} more are in the list of every task." if left > 0 else ""
            rows = [_named_cells(task, kind, runs) for task in tasks[:_MOST_FLIPPED]]
            grids.append(Grid(f"{caption} ({len(tasks):,})", _headings(metric), rows, note))
    return grids


def extreme_grids(chosen: Chosen, metric: str, kind: Kind, runs: Runs) -> list[Grid]:
    """Return the tasks with the largest losses and gains."""
    return [
        Grid(caption, _headings(metric), [_named_cells(task, kind, runs) for task in tasks])
        for caption, tasks in (("Largest losses", chosen.worst), ("Largest gains", chosen.best))
        if tasks
    ]


def every_grid(tasks: Sequence[Record], metric: str, kind: Kind, total: int) -> Grid:
    """Return every task, the worst first, up to a size that a page can hold."""
    listed = tasks[:MOST_LISTED]
    note = (
        f"The first {len(listed):,} of {total:,}; evalmart compare lists them all."
        if total > len(listed)
        else ""
    )
    return Grid(
        f"Every task by {metric}, the worst difference first",
        [
            Heading("task"), Heading("winner"), figures("baseline"),
            figures("candidate"), figures("difference"),
        ],
        [_brief_cells(task, kind) for task in listed],
        note,
    )  # fmt: skip


def incomparable_grid(chosen: Chosen) -> Grid | None:
    """Return the tasks that are left out, with the reason."""
    if not chosen.incomparable:
        return None
    left = len(chosen.incomparable) - _MOST_MISSING
    return Grid(
        f"Tasks left out ({len(chosen.incomparable):,})",
        [Heading("task"), Heading("why", is_wide=True)],
        [
            [Cell(str(text_of(task, "task_id"))), Cell(_reason(task))]
            for task in chosen.incomparable[:_MOST_MISSING]
        ],
        f"{left:,} more; evalmart compare lists them all." if left > 0 else "",
    )


def distribution_charts(tasks: Sequence[Record]) -> list[Chart]:
    """Draw latency and cost of both arms, where recorded."""
    drawn = []
    for name, title, unit in (("latency_ms", "Latency", "ms"), ("cost_usd", "Cost", "US dollars")):
        arms = [
            [
                value
                for task in tasks
                if (value := number_of(task, f"{arm}_{name}")) is not None
            ]
            for arm in _ARMS
        ]  # fmt: skip
        if any(arms):
            extent = "; ".join(
                f"{arm}: {len(values):,} tasks, {told(min(values), metric_kind(name))} to "
                f"{told(max(values), metric_kind(name))}"
                for arm, values in zip(_ARMS, arms, strict=True)
                if values
            )
            words = f"Distribution of {title.lower()} per task. {extent}."
            drawn.append(charts.distributions(arms, f"{title.lower()}, {unit}", words))
    return drawn


def _flip(task: Mapping[str, object]) -> int:
    """Return -1 when a task broke, 1 when it was mended, else 0."""
    passed = [task[f"{arm}_passed"] for arm in _ARMS]
    return 0 if None in passed else int(passed[1] is True) - int(passed[0] is True)


def _headings(metric: str) -> list[Heading]:
    return [
        Heading("task"), figures(f"{metric}: baseline"), figures("candidate"),
        figures("difference"), Heading("runs and errors", is_wide=True),
    ]  # fmt: skip


def _named_cells(task: Record, kind: Kind, runs: Runs) -> list[Cell]:
    cells = _brief_cells(task, kind)
    addresses: list[tuple[str, str]] = []
    errors: list[str] = []
    for arm in _ARMS:
        of_arm = runs.get(task.get(f"{arm}_result_id"), [])
        addresses += links([run["url"] for run in of_arm], f"{arm} run")
        errors += [
            f"{arm}: {str(text_of(run, 'error_message'))[:_ERROR]}"
            for run in of_arm
            if run["error_message"] is not None
        ]
    told_errors = " · ".join(dict.fromkeys(errors))
    return [cells[0], *cells[2:], Cell(told_errors or ("" if addresses else NULL), "", addresses)]


def _brief_cells(task: Record, kind: Kind) -> list[Cell]:
    difference = number_of(task, "primary_difference")
    return [
        Cell(str(text_of(task, "task_id"))),
        Cell(text_of(task, "winner") or NULL),
        *(Cell(told(number_of(task, f"{arm}_primary_value"), kind)) for arm in _ARMS),
        Cell(signed(difference, kind), direction_style(difference)),
    ]


def _reason(task: Record) -> str:
    code = str(text_of(task, "not_comparable_reason"))
    return REASONS.get(code, code)
