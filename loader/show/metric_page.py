"""Every metric of a comparison for people: its say, its means, its improvement, its finding.

Nothing is computed here: each cell is a number of `experiment_metric_comparisons`, or says
in words what its role, its finding and its flags say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..tools.tables import Column, Kind, Table
from .render import NULL, number, printable, with_unit
from .views import metric_kind
from .wording import SHARES, finding, improvement_of, say

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS: Final = (
    Column("metric"),
    Column("role", heading="say", rank=3),
    Column("n_pairs", Kind.INTEGER, "pairs", rank=5),
    Column("means", heading="baseline → candidate", rank=4),
    Column("improvement", heading="improvement"),
    Column("interval", heading="95 % interval", rank=1),
    Column("margin", heading="margin", rank=2),
    Column("finding", heading="which says", rank=1),
)


def metric_table(table: Table) -> Table:
    """Turn `experiment_metric_comparisons` of one experiment into a table for people.

    An improvement is positive where the candidate is better: percentage points for scores
    and success, per cent saved for latency, tokens and cost, else in the metric's own unit.
    """
    records = table.records()
    arms = {(record["candidate_group"], record["candidate_version"]) for record in records}
    rows: list[tuple[object, ...]] = []
    for record in records:
        name = printable(str(record["metric"]))
        if len(arms) > 1:
            arm = f"{record['candidate_group']} {record['candidate_version']}"
            name = f"{printable(arm)}: {name}"
        shown = improvement_of(record)
        rows.append((
            name,
            say(record),
            record["n_pairs"],
            _means(record),
            shown.text(),
            shown.interval(),
            shown.accepted(),
            finding(record),
        ))  # fmt: skip
    return Table(_COLUMNS, rows)


def arm_table(arms: Table) -> Table:
    """Return what is known of arms that nothing is compared with, with intervals."""
    columns = (
        Column("arm"),
        Column("total_tasks", Kind.INTEGER, "tasks"),
        Column("total_runs", Kind.INTEGER, "runs"),
        Column("success", heading="success"),
        Column("pass_at_k", heading="pass@k"),
        Column("pass_hat_k", heading="pass^k"),
    )
    return Table(
        columns,
        [
            (
                printable(f"{row['experiment_group']} {row['extension_version']}"),
                row["total_tasks"],
                row["total_runs"],
                *(_share(row, name) for name in ("success_rate", "pass_at_k", "pass_hat_k")),
            )
            for row in arms.records()
        ],
    )


def _share(row: Mapping[str, object], name: str) -> str:
    """Return a share with its interval where the mart has one."""
    ends = [row.get(f"{name}{end}") for end in ("", "_low", "_high")]
    value, low, high = (float(end) if isinstance(end, int | float) else None for end in ends)
    if value is None:
        return NULL
    told = number(value, Kind.SCORE)
    if low is None or high is None:
        return told
    return f"{told} ({number(low, Kind.SCORE)} … {number(high, Kind.SCORE)})"


def kind_of_values(record: Mapping[str, object]) -> Kind:
    """Return what a metric's means are: shares of 0 to 1, or in the unit of its name."""
    return Kind.SCORE if record["kind"] in SHARES else metric_kind(str(record["metric"]))


def _means(record: Mapping[str, object]) -> str:
    kind = kind_of_values(record)
    arms = (record["baseline_mean"], record["candidate_mean"])
    return NULL if arms == (None, None) else " → ".join(with_unit(mean, kind) for mean in arms)
