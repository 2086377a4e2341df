"""What a pass goes by, and how often all of k runs do, computed a second time in plain Python."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

from statsmodels.stats.proportion import proportion_confint

if TYPE_CHECKING:
    from independent_marts import Key, Result, Row

PASS_K = 3
_PRIMARY = "accuracy"


def count_passes(mine: list[Result], declared: list[str]) -> None:
    """Add pass_metric, pass_at_k and pass_hat_k to the results of one experiment.

    Args:
        mine: all its results.
        declared: metrics in the order of their seed.

    """
    metric, is_score = _pass_metric(mine, declared)
    for result in mine:
        _count(result, metric, is_score=is_score)


def _pass_metric(mine: list[Result], declared: list[str]) -> tuple[str | None, bool]:
    """Return what a pass goes by in an experiment, and whether that is a score."""
    scores = {name for one in mine for name, (kind, _) in one.values.items() if kind == "score"}
    ranks = {name: place for place, name in enumerate(declared)}
    order = sorted(
        scores, key=lambda name: (name != _PRIMARY, ranks.get(name, len(ranks)), name.encode())
    )
    if order:
        values = {
            value
            for one in mine
            if one.values.get(order[0], ("", []))[0] == "score"
            for value in one.values[order[0]][1]
        }
        if values and values <= {0, 1}:
            return order[0], True
    said = [success for one in mine for success, _ in one.trials]
    return ("success" if True in said or None not in said else None), False


def _count(result: Result, metric: str | None, *, is_score: bool) -> None:
    counted: list[bool] = []
    for said, seen in result.trials:
        value = seen.get(metric or "", ("", None))[1] if is_score else None
        if value is not None:
            counted.append(value == 1)
        elif said is False or (said is True and not is_score):
            counted.append(said)
    n, c = len(counted), sum(counted)
    is_known = metric is not None and n >= PASS_K
    draws = comb(n, PASS_K) if is_known else 1
    result.row.update(
        pass_metric=metric,
        counted_repetitions=n if metric else 0,
        passed_repetitions=c if metric else 0,
        pass_at_k=1 - Fraction(comb(n - c, PASS_K), draws) if is_known else None,
        pass_hat_k=Fraction(comb(c, PASS_K), draws) if is_known else None,
    )


def arms(found: dict[Key, Result]) -> list[Row]:
    """Return arm_summaries, with the intervals of statsmodels."""
    by_arm: dict[Key, list[Row]] = defaultdict(list)
    for key, result in found.items():
        by_arm[key[0], key[2], key[3]].append(result.row)
    rows = []
    for key, mine in by_arm.items():
        row = dict(
            zip(("experiment_id", "experiment_group", "extension_version"), key, strict=True)
        )
        row.update(
            pass_metric=mine[0]["pass_metric"],
            total_tasks=len(mine),
            total_runs=sum(one["repetitions"] for one in mine),
            said_tasks=sum(one["said_repetitions"] > 0 for one in mine),
            repeated_tasks=sum(one["pass_at_k"] is not None for one in mine),
        )
        for name in ("success_rate", "pass_at_k", "pass_hat_k"):
            values = [one[name] for one in mine if one[name] is not None]
            share = sum(values, Fraction(0)) / len(values) if values else None
            row[name] = share
            row[f"{name}_low"], row[f"{name}_high"] = (
                (None, None)
                if share is None
                else proportion_confint(float(share) * len(values), len(values), method="wilson")
            )
        rows.append(row)
    return rows
