"""Every metric of a comparison for people: means, difference, interval, and p in words.

Nothing is computed here: each cell is a number of `experiment_metric_comparisons`, or says
in words what its p-value, its flags and its labels say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loader.render import NULL, named_p, number, printable, with_unit
from loader.tables import Column, Kind, Table
from loader.views import metric_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

ALPHA: Final = 0.05
_RATIOS: Final = frozenset({"latency", "tokens", "cost"})
_COLUMNS: Final = (
    Column("metric"),
    Column("n_pairs", Kind.INTEGER, "pairs"),
    Column("means", heading="baseline → candidate"),
    Column("difference", heading="difference"),
    Column("interval", heading="95 % interval"),
    Column("reading", heading="which says"),
)
_NO_TEST: Final = (
    ("no_pairs", "nothing: no task has it in both arms"),
    ("zero_variance", "every task differs by the same"),
    ("few_clusters", "nothing: too few independent groups of tasks"),
)


def metric_table(table: Table) -> Table:
    """Turn `experiment_metric_comparisons` of one experiment into a table for people.

    A difference is candidate less baseline in the metric's unit, of scores in points;
    of latency, tokens and cost it is the ratio of the arms as a change in per cent.
    """
    records = table.records()
    arms = {(record["candidate_group"], record["candidate_version"]) for record in records}
    rows: list[tuple[object, ...]] = []
    for record in records:
        name = printable(str(record["metric"]))
        if len(arms) > 1:
            arm = f"{record['candidate_group']} {record['candidate_version']}"
            name = f"{printable(arm)}: {name}"
        rows.append((
            name,
            record["n_pairs"],
            _means(record),
            *_estimate(record),
            reading(record),
        ))  # fmt: skip
    return Table(_COLUMNS, rows)


def reading(record: Mapping[str, object]) -> str:
    """Say what a metric's test tells, and how sure that is."""
    p_value = record["p_value"]
    raw = record["flags"]
    flags = [str(flag) for flag in raw] if isinstance(raw, list) else []
    if not isinstance(p_value, int | float):
        return next((text for flag, text in _NO_TEST if flag in flags), "nothing: too few pairs")
    difference = record["mean_difference"]
    sign = -1 if record["direction"] == "lower" else 1
    if p_value > ALPHA or not isinstance(difference, int | float) or difference == 0:
        return f"{_open(record)} ({named_p(p_value)})"
    told = "better" if sign * difference > 0 else "worse"
    holm = record["p_value_holm"]
    if isinstance(holm, int | float) and holm > ALPHA:
        return f"{told}, were it the only metric looked at ({named_p(p_value)})"
    return f"{told}, more than chance explains ({named_p(p_value)})"


def _open(record: Mapping[str, object]) -> str:
    if record["is_equivalent"]:
        return "the same, within its margin"
    if record["is_underpowered"]:
        return "cannot tell: too few tasks"
    return "may well be chance"


def _means(record: Mapping[str, object]) -> str:
    kind = _kind(record)
    arms = (record["baseline_mean"], record["candidate_mean"])
    return NULL if arms == (None, None) else " → ".join(with_unit(mean, kind) for mean in arms)


def _estimate(record: Mapping[str, object]) -> tuple[str, str]:
    """Return the difference and its interval."""
    if record["kind"] in _RATIOS and isinstance(record["ratio"], int | float):
        values = [
            100 * (value - 1) if isinstance(value, int | float) else None
            for value in (record["ratio"], record["ratio_low"], record["ratio_high"])
        ]
        unit, kind = "%", Kind.PERCENT
    else:
        values = [
            value if isinstance(value, int | float) else None
            for value in (record["mean_difference"], record["ci_low"], record["ci_high"])
        ]
        unit, kind = "", Kind.CHANGE
        if record["kind"] == "score":
            values = [None if value is None else 100 * value for value in values]
            unit, kind = "points", Kind.POINTS
    estimate, low, high = (NULL if value is None else number(value, kind) for value in values)
    if estimate == NULL:
        return NULL, NULL
    interval = NULL if NULL in {low, high} else f"{low} … {high}"
    return f"{estimate} {unit}".rstrip(), interval


def _kind(record: Mapping[str, object]) -> Kind:
    return Kind.SCORE if record["kind"] == "score" else metric_kind(str(record["metric"]))
