"""Which columns of a mart a person sees, and under which headings.

Programs (json, csv) get every column of the mart under its own name, so what a later
version of a mart adds reaches them by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..tools.tables import Column, Format, Kind, Table, kind_of
from .render import NULL, cell, named_p, printable, with_unit
from .sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOR_PROGRAMS: Final = frozenset({Format.JSON, Format.CSV})

_RECENT: Final = (
    Column("recorded_at", Kind.TIMESTAMP, "recorded (UTC)"),
    Column("experiment_id", heading="experiment"),
    Column("task_id", heading="task"),
    Column("experiment_group", heading="group"),
    Column("extension_version", heading="version"),
    Column("agent_name", heading="agent"),
    Column("accuracy", Kind.SCORE),
    Column("latency_ms", Kind.MILLISECONDS, "latency"),
    Column("cost_usd", Kind.USD, "cost"),
    Column("success", heading="succeeded"),
)
_EXPERIMENTS: Final = (
    Column("experiment_id", heading="experiment"),
    Column("candidate_group", heading="candidate", rank=2),
    Column("candidate_version", heading="version"),
    Column("total_tasks", Kind.INTEGER, "tasks", rank=3),
    Column("candidate_wins", Kind.INTEGER, "wins", rank=5),
    Column("baseline_wins", Kind.INTEGER, "losses", rank=5),
    Column("ties", Kind.INTEGER, rank=5),
    Column("primary_metric", heading="decided by", rank=6),
    Column("recommendation", Kind.OUTCOME),
    Column("last_recorded_at", Kind.TIMESTAMP, "last recorded (UTC)", rank=4),
    Column("headline", heading="in one sentence", rank=1),
)
_SUCCEEDED: Final = {True: "yes", False: "no", None: "unknown"}
_ARMS: Final = ("baseline", "candidate")
_TASK_COLUMNS: Final = (
    Column("candidate"),
    Column("metric"),
    Column("baseline_value", heading="baseline"),
    Column("candidate_value", heading="candidate"),
    Column("change", heading="change, + is better"),
)
# A metric of the comparison, and its change there.
_TASK_METRICS: Final = (
    ("accuracy", "accuracy_improvement_pct"),
    ("completeness", "completeness_improvement_pct"),
    ("efficiency", "efficiency_improvement_pct"),
    ("integration_quality", "integration_quality_improvement_pct"),
    ("latency_ms", "latency_reduction_pct"),
    ("tokens_used", "tokens_reduction_pct"),
    ("cost_usd", "cost_reduction_pct"),
)


def recent(table: Table, output: Format) -> Table:
    """Choose the columns of `recent`."""
    if output in _FOR_PROGRAMS:
        return table
    chosen = table.pick(_RECENT)
    place = chosen.columns.index(Column("success", heading="succeeded"))
    return chosen._replace(
        rows=[
            (*row[:place], _SUCCEEDED[row[place]], *row[place + 1 :])  # type: ignore[index]
            for row in chosen.rows
        ]
    )


def experiments(table: Table, output: Format) -> Table:
    """Choose the columns of `experiments`."""
    return table if output in _FOR_PROGRAMS else table.pick(_EXPERIMENTS)


def comparison(table: Table, output: Format) -> Table:
    """Choose the columns of `compare`; the primary metric gives its name and unit."""
    if output in _FOR_PROGRAMS:
        return table
    metrics = {str(name) for name in table.values("primary_metric") if name is not None}
    metric = next(iter(metrics)) if len(metrics) == 1 else "primary value"
    kind = metric_kind(metric)
    return table.pick((
        Column("task_id", heading="task"),
        *_if_several(table, "candidate_group", "candidate", 1),
        *_if_several(table, "candidate_version", "version", 1),
        Column("winner", Kind.OUTCOME, rank=1),
        Column("baseline_primary_value", kind, f"{metric}: baseline"),
        Column("candidate_primary_value", kind, "candidate"),
        Column("primary_difference", Kind.CHANGE, "difference"),
        Column("latency_reduction_pct", Kind.PERCENT, "latency saved", rank=3),
        Column("cost_reduction_pct", Kind.PERCENT, "cost saved", rank=4),
        *_if_any(table, "not_comparable_reason", "not comparable", 2),
        *_if_any(table, "quarantine_reason", "quarantine", 2),
    ))  # fmt: skip


def one_task(table: Table, output: Format) -> Table:
    """Turn one task's comparison into a row per metric, for people."""
    if output in _FOR_PROGRAMS:
        return table
    rows: list[tuple[object, ...]] = []
    for record in table.records():
        version = f"{record['candidate_group']} {record['candidate_version']}"
        for metric, change in _TASK_METRICS:
            kind = metric_kind(metric)
            values = [record[f"{arm}_{metric}"] for arm in _ARMS]
            if values != [None, None]:
                told = [with_unit(value, kind) for value in values]
                rows.append((version, metric, *told, with_unit(record[change], kind_of(change))))
        succeeded = [_told_success(record, arm) for arm in _ARMS]
        rows.append((version, "succeeded", *succeeded, NULL))
        rows.append((version, "winner", NULL, NULL, cell(record["winner"], Kind.TEXT)))
        reason = record["not_comparable_reason"]
        if reason is not None:
            rows.append((version, "not comparable", NULL, NULL, cell(reason, Kind.TEXT)))
        if record["quarantine_reason"] is not None:
            state = "has run out" if record["is_quarantine_expired"] else "left out"
            why = cell(record["quarantine_reason"], Kind.TEXT)
            rows.append((version, "quarantine", NULL, NULL, f"{state}: {why}"))
    return Table(_TASK_COLUMNS, rows)


def _told_success(record: dict[str, object], arm: str) -> str:
    """Say whether an arm's result succeeded; an arm without one has nothing to say."""
    if record[f"{arm}_result_id"] is None:
        return NULL
    return _SUCCEEDED[record[f"{arm}_success"]]  # type: ignore[index]


def trend(table: Table, metric: str, output: Format) -> Table:
    """Choose the columns of `trend`; the metric gives the unit."""
    if output in _FOR_PROGRAMS:
        return table
    kind = metric_kind(metric)
    return table.pick((
        *_if_several(table, "experiment_group", "group", 1),
        Column("extension_version", heading="version"),
        *_if_several(table, "model_version", "model", 2),
        Column("sample_count", Kind.INTEGER, "n", rank=1),
        Column("avg_value", kind, f"{metric}: mean"),
        Column("avg_value_low", kind, "from", rank=1),
        Column("avg_value_high", kind, "to", rank=1),
        Column("change_pct", Kind.PERCENT, "change", rank=1),
        Column("change_p_value", Kind.PROBABILITY, "p", rank=1),
        Column("shared_task_count", Kind.INTEGER, "shared tasks", rank=3),
        Column("stddev_value", kind, "sd", rank=4),
        Column("min_value", kind, "min", rank=6),
        Column("p50_value", kind, "p50", rank=5),
        Column("p95_value", kind, "p95", rank=5),
        Column("max_value", kind, "max", rank=6),
        Column("first_recorded_at", Kind.TIMESTAMP, "first seen (UTC)", rank=7),
        Column("last_recorded_at", Kind.TIMESTAMP, "last seen (UTC)", rank=4),
    ))  # fmt: skip


def sparklines(table: Table) -> Sequence[str]:
    """Return a line of blocks per group and model of a trend, oldest version on the left."""
    series: dict[str, list[float | None]] = {}
    for record in table.records():
        name = f"{record['experiment_group']} {record['model_version']}"
        value = record["avg_value"]
        series.setdefault(name, []).append(value if isinstance(value, float) else None)
    return [
        f"{sparkline(values)}  {printable(name)}"
        for name, values in series.items()
        if len(values) > 1
    ]


def misleading_means(table: Table) -> Sequence[str]:
    """Return a sentence for each version of a trend whose mean moved against its shared tasks."""
    sentences = []
    several_models = len(set(table.values("model_version"))) > 1
    for record in table.records():
        plain, p_value = record["plain_change"], record["change_p_value"]
        if record["has_opposite_signs"] and isinstance(plain, float):
            moved, against = ("rose", "fell") if plain > 0 else ("fell", "rose")
            group, version, model, previous = (
                printable(str(record[name]))
                for name in (
                    "experiment_group",
                    "extension_version",
                    "model_version",
                    "previous_extension_version",
                )
            )
            subject = f"{group} {version} {model}" if several_models else f"{group} {version}"
            # Welch's test is about all tasks, not about the shared ones
            if isinstance(p_value, float) and record["change_method"] != "welch":
                against = f"{against} ({named_p(p_value)})"
            sentences.append(
                f"{subject}: the mean {moved}, but over the {record['shared_task_count']}"
                f" tasks that {previous} ran too it {against}."
            )
    return sentences


def metric_kind(metric: str) -> Kind:
    """Return what a metric's values mean, by its name: units are part of it."""
    kind = kind_of(metric)
    return Kind.NUMBER if kind is Kind.TEXT else kind


def _if_several(table: Table, name: str, heading: str, rank: int = 0) -> Sequence[Column]:
    """Return a column that only says something when its values differ."""
    return [Column(name, heading=heading, rank=rank)] if len(set(table.values(name))) > 1 else []


def _if_any(table: Table, name: str, heading: str, rank: int = 0) -> Sequence[Column]:
    """Return a column that is mostly empty only when it is not."""
    has_any = any(value is not None for value in table.values(name))
    return [Column(name, heading=heading, rank=rank)] if has_any else []


_ALERTS = (
    Column("agent_name", heading="agent"),
    Column("metric"),
    Column("cause"),
    Column("began_version", heading="began at"),
    Column("found_version", heading="found at"),
    Column("ended_version", heading="ended at"),
    Column("end_reason", heading="ended because"),
    Column("severity", Kind.OUTCOME),
    Column("level_before", Kind.NUMBER, "before"),
    Column("level_found", Kind.NUMBER, "when found"),
    Column("change_pct", Kind.PERCENT, "change"),
    Column("version_count", Kind.INTEGER, "versions"),
)


_TASKS = (
    Column("extension_version", heading="version"),
    Column("metric"),
    Column("task_id", heading="task"),
    Column("previous_extension_version", heading="worse than in"),
    Column("previous_value", Kind.NUMBER, "from"),
    Column("value", Kind.NUMBER, "to"),
    Column("run_ids", heading="runs"),
)


def alerts_view(table: Table, output: Format) -> Table:
    """Choose the columns of alerts that a person sees."""
    return table if output in {Format.JSON, Format.CSV} else table.pick(_ALERTS)


def tasks_view(table: Table, output: Format) -> Table:
    """Choose the columns of tasks that a person sees."""
    return table if output in {Format.JSON, Format.CSV} else table.pick(_TASKS)
