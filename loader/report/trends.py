"""An agent over its versions: small charts, the versions that got worse, the means."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ..show.render import cell
from ..tools.tables import Kind
from . import charts
from .grids import (
    Cell,
    Grid,
    Heading,
    count_of,
    figures,
    generic,
    interval,
    kind_of_metric,
    number_of,
    text_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record
    from .drawing import Chart

MOST_VERSIONS: Final = 40
_UNITS: Final = {Kind.MILLISECONDS: "ms", Kind.USD: "US dollars", Kind.TOKENS: "tokens"}
_FALL_COLUMNS: Final = (
    ("metric", "metric", Kind.TEXT),
    ("agent_name", "agent", Kind.TEXT),
    ("experiment_group", "group", Kind.TEXT),
    ("is_open", "open now", Kind.BOOLEAN),
    ("extension_version", "since", Kind.TEXT),
    ("previous_extension_version", "worse than in", Kind.TEXT),
    ("severity", "severity", Kind.TEXT),
    ("cause", "cause", Kind.TEXT),
    ("change_pct", "change", Kind.PERCENT),
    ("shared_task_count", "shared tasks", Kind.INTEGER),
    ("p_value_bh", "p (BH)", Kind.PROBABILITY),
)
_MOST_NAMED: Final = 5
_SUMMARY_COLUMNS: Final = (
    ("experiment_id", "experiment", Kind.TEXT),
    ("candidate_group", "candidate", Kind.TEXT),
    ("candidate_version", "version", Kind.TEXT),
    ("total_tasks", "tasks", Kind.INTEGER),
    ("candidate_wins", "won", Kind.INTEGER),
    ("baseline_wins", "lost", Kind.INTEGER),
    ("ties", "tied", Kind.INTEGER),
    ("recommendation", "verdict", Kind.TEXT),
    ("headline", "in one sentence", Kind.TEXT),
    ("last_recorded_at", "last recorded (UTC)", Kind.TIMESTAMP),
)


def small_charts(
    rows: Sequence[Record], worse: Sequence[Record] | None, by: str
) -> list[tuple[str, Chart]]:
    """Draw one chart per agent or per metric, with its name.

    Args:
        rows: of `version_trends`, in the order of versions.
        worse: versions to mark, with a severity; None when not known.
        by: `agent_name` or `metric`: what each chart is of.
    """
    severities = {_key(row): str(text_of(row, "severity") or "alert") for row in worse or []}
    panels: dict[str, list[Record]] = {}
    for row in rows:
        panels.setdefault(str(row[by]), []).append(row)
    return [
        (str(text_of(panel[0], by)), chart)
        for panel in panels.values()
        if (chart := _chart(panel, severities)) is not None
    ]


def falls(regressions: Sequence[Record] | None, alerts: Sequence[Record] | None) -> Grid | None:
    """Return what got worse, each once: falls of a level, open ones first, then single steps.

    Args:
        regressions: versions worse than the one before; of a fall that is told, the same fall.
        alerts: falls of a metric's level.
    """
    steps = {_key(row): row for row in regressions or []}
    levels = []
    for alert in alerts or []:
        fall = {**alert, "extension_version": alert.get("began_version")}
        # what the step between two versions knows besides: against which, and its p
        levels.append({**steps.pop(_key(fall), {}), **fall})
    levels.sort(key=lambda row: row.get("is_open") is not True)
    rows = [*levels, *steps.values()]
    if not rows:
        return None
    is_one = len({row.get("agent_name") for row in rows}) == 1
    columns = [one for one in _FALL_COLUMNS if not (is_one and one[0] == "agent_name")]
    return generic("What got worse", rows, columns)


def open_now(alerts: Sequence[Record] | None) -> str:
    """Return the sentence of what is open now; None for alerts that are not built."""
    if alerts is None:
        return "What is open now is not told: the mart of alerts is not built."
    opened = [row for row in alerts if row.get("is_open") is True]
    if not opened:
        return "Nothing is open now: no metric is below a level that it had."
    named = [
        f"{text_of(row, 'metric')} of {text_of(row, 'agent_name')} since "
        f"{text_of(row, 'began_version')} ({text_of(row, 'severity') or 'alert'})"
        for row in opened[:_MOST_NAMED]
    ]
    left = len(opened) - len(named)
    more = f" and {left:,} more" if left else ""
    verb = "fall is" if len(opened) == 1 else "falls are"
    return f"{len(opened):,} {verb} open now: {', '.join(named)}{more}."


def marked(regressions: Sequence[Record] | None, alerts: Sequence[Record] | None) -> list[Record]:
    """Return the versions to mark: where a fall began, and what got worse than before it."""
    began = [{**row, "extension_version": row.get("began_version")} for row in alerts or []]
    return [*began, *(regressions or [])]


def version_grid(rows: Sequence[Record]) -> Grid:
    """Return the means that the charts show, and what they rest on."""
    headings = [
        Heading("agent"), Heading("group"), Heading("version"), Heading("model"),
        Heading("metric"), figures("results"), figures("mean"),
        figures("95 % interval"), figures("median"), figures("95th percentile"),
        Heading("last recorded (UTC)"),
    ]  # fmt: skip
    return Grid("Means by version", headings, [_version_cells(row) for row in rows])


def experiment_grid(summaries: Sequence[Record]) -> Grid:
    """Return the experiments an agent took part in, the latest first."""
    return generic("Experiments, the latest first", summaries, _SUMMARY_COLUMNS)


def _chart(rows: Sequence[Record], severities: dict[tuple[str, ...], str]) -> Chart | None:
    kind = kind_of_metric(rows[0])
    order = {version: place for place, version in enumerate(_order(rows)[-MOST_VERSIONS:])}
    points = [
        charts.Version(
            str(row["extension_version"]),
            _line_name(row, rows),
            value,
            severities.get(_key(row)),
            number_of(row, "avg_value_low"),
            number_of(row, "avg_value_high"),
        )
        for row in sorted(rows, key=lambda row: order.get(str(row["extension_version"]), 0))
        if (value := number_of(row, "avg_value")) is not None
        and str(row["extension_version"]) in order
    ]
    if not points:
        return None
    latest = {point.group: point for point in points}
    words = "; ".join(
        f"{group[:60]} at {told(point.value, kind)} in {point.version[:60]}"
        for group, point in latest.items()
    )
    alerts = sum(point.alert is not None for point in points)
    metric = str(text_of(rows[0], "metric"))
    return charts.trend(
        points,
        _UNITS.get(kind, ""),
        f"Mean {metric[:60]} over versions, with 95 % intervals: {words}; "
        f"{alerts or 'no'} version{'' if alerts == 1 else 's'} marked as worse.",
    )


def _order(rows: Sequence[Record]) -> list[str]:
    """Return all versions in an order that agrees with the rank within every group."""
    groups: dict[object, list[tuple[int, str]]] = {}
    for row in rows:
        ranked = (count_of(row, "version_rank"), str(row["extension_version"]))
        groups.setdefault(row["experiment_group"], []).append(ranked)
    # the group with the most versions goes first: it has the finest order
    sequences = [
        [version for _, version in sorted(set(ranked))]
        for ranked in sorted(groups.values(), key=len, reverse=True)
    ]
    versions = list(dict.fromkeys(version for sequence in sequences for version in sequence))
    before: dict[str, set[str]] = {version: set() for version in versions}
    for sequence in sequences:
        for earlier, later in pairwise(sequence):
            before[later].add(earlier)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return versions


def _line_name(row: Record, rows: Sequence[Record]) -> str:
    """Name a line by group, and by model where there are several."""
    models = {other["model_version"] for other in rows}
    group = str(row["experiment_group"])
    return group if len(models) == 1 else f"{group}, {row['model_version']}"


def _key(row: Record) -> tuple[str, ...]:
    names = ("agent_name", "experiment_group", "extension_version", "metric")
    return tuple(str(row.get(name)) for name in names)


def _version_cells(row: Record) -> list[Cell]:
    kind = kind_of_metric(row)
    names = ("agent_name", "experiment_group", "extension_version", "model_version", "metric")
    return [
        *(Cell(str(text_of(row, name))) for name in names),
        Cell(f"{count_of(row, 'sample_count'):,}"),
        Cell(told(number_of(row, "avg_value"), kind)),
        Cell(
            interval(*(told(number_of(row, f"avg_value_{end}"), kind) for end in ("low", "high")))
        ),
        *(Cell(told(number_of(row, f"{name}_value"), kind)) for name in ("p50", "p95")),
        Cell(cell(row.get("last_recorded_at"), Kind.TIMESTAMP)),
    ]
