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
    """The tasks of one candidate that the page names, no task twice."""

    broken: Sequence[Record]
    """Failed in the candidate, ended well in the baseline."""
    mended: Sequence[Record]
    """The other way round."""
    worst: Sequence[Record]
    """Of the rest, those that scored worse: the largest losses."""
    best: Sequence[Record]
    incomparable: Sequence[Record]
    scored_worse: int = 0
    """How many did in all."""
    scored_better: int = 0

    def result_ids(self) -> list[object]:
        """Return the results whose runs the page links to."""
        return [
            task.get(f"{arm}_result_id")
            for task in (*self.broken, *self.mended, *self.worst, *self.best)
            for arm in _ARMS
        ]


def choose(tasks: Sequence[Record]) -> Chosen:
    """Choose the tasks to name; `tasks` come the worst difference first.

    A task failed or ended well by what its runs say of success, whatever they scored. A task
    whose baseline never said so neither broke nor was mended.
    """
    ends = [(task, _end(task)) for task in tasks]
    rest = [
        (difference, task)
        for task, end in ends
        if not end and (difference := number_of(task, "primary_difference")) is not None
    ]
    worse = [task for difference, task in rest if difference < 0]
    better = [task for difference, task in reversed(rest) if difference > 0]
    return Chosen(
        [task for task, end in ends if end < 0],
        [task for task, end in ends if end > 0],
        worse[:_EXTREMES],
        better[:_EXTREMES],
        [task for task in tasks if task["not_comparable_reason"] is not None],
        len(worse),
        len(better),
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
    """Return the tasks that failed in one arm only: those that broke, then those mended."""
    grids = []
    for caption, tasks in (
        ("Failed in the candidate, ended well in the baseline", chosen.broken),
        ("Ended well in the candidate, failed in the baseline", chosen.mended),
    ):
        if tasks:
            left = len(tasks) - _MOST_FLIPPED
            note = f"{left:,} more; evalmart compare lists them all." if left > 0 else ""
            named = f"{caption} ({len(tasks):,})"
            grids.append(_named_grid(named, tasks[:_MOST_FLIPPED], metric, kind, runs, note=note))
    return grids


def extreme_grids(chosen: Chosen, metric: str, kind: Kind, runs: Runs) -> list[Grid]:
    """Return the largest losses and gains among the tasks that failed in neither arm alone."""
    return [
        _named_grid(
            f"{caption} ({count:,})",
            tasks,
            metric,
            kind,
            runs,
            note=f"The {len(tasks):,} largest; evalmart compare lists them all."
            if count > len(tasks)
            else "",
        )
        for caption, tasks, count in (
            ("Scored worse", chosen.worst, chosen.scored_worse),
            ("Scored better", chosen.best, chosen.scored_better),
        )
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


def _end(task: Mapping[str, object]) -> int:
    """Return -1 when a task broke, 1 when it was mended, else 0."""
    ended_well = [task.get(f"{arm}_success") for arm in _ARMS]
    return 0 if None in ended_well else int(ended_well[1] is True) - int(ended_well[0] is True)


def _named_grid(  # noqa: PLR0913  what a table of tasks is made of
    caption: str, tasks: Sequence[Record], metric: str, kind: Kind, runs: Runs, *, note: str
) -> Grid:
    """Return tasks with their runs; without the column of runs where none says anything."""
    headings = [
        Heading("task"), figures(f"{metric}: baseline"), figures("candidate"),
        figures("difference"), Heading("runs and errors", is_wide=True),
    ]  # fmt: skip
    rows = [_named_cells(task, kind, runs) for task in tasks]
    if all(row[-1] == Cell(NULL) for row in rows):
        return Grid(caption, headings[:-1], [row[:-1] for row in rows], note)
    return Grid(caption, headings, rows, note)


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
    return [
        cells[0],
        *cells[2:],
        Cell(told_errors or ("" if addresses else NULL), "", tuple(addresses)),
    ]


def _brief_cells(task: Record, kind: Kind) -> list[Cell]:
    difference = number_of(task, "primary_difference")
    return [
        Cell(str(text_of(task, "task_id"))),
        Cell(text_of(task, "winner") or NULL),
        *(Cell(told(number_of(task, f"{arm}_primary_value"), kind)) for arm in _ARMS),
        Cell(signed(difference, kind)),
    ]


def _reason(task: Record) -> str:
    code = str(text_of(task, "not_comparable_reason"))
    return REASONS.get(code, code)
