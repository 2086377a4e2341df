"""What experiment_task_comparisons and flaky_tasks hold, from records, by SciPy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations, groupby, pairwise
from typing import Any

from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

Record = Mapping[str, Any]
Row = dict[str, Any]

ALPHA = 0.05
_MOST_ARRANGEMENTS = 1000


def task_comparisons(records: Sequence[Record], metric: str, direction: str) -> dict[str, Row]:
    """Return what one candidate's tasks are held to, by task, for one score of one experiment.

    Args:
        records: of one experiment with a group baseline and another, one version.
        metric: key of a score, or success.
        direction: higher, lower or unknown.

    """
    arms: dict[str, tuple[list[Record], list[Record]]] = defaultdict(lambda: ([], []))
    for record in records:
        arms[record["task_id"]][record["experiment_group"] != "baseline"].append(record)
    rows: dict[str, Row] = {}
    for task, (before, after) in arms.items():
        row = _task(before, after, metric, direction)
        if row is not None:
            rows[task] = row
    tested = [task for task, row in rows.items() if row["p_value"] is not None]
    if tested:
        adjusted = multipletests([rows[task]["p_value"] for task in tested], method="fdr_bh")[1]
        for task, value in zip(tested, adjusted, strict=True):
            rows[task]["p_value_bh"] = value
    for row in rows.values():
        found = row.get("p_value_bh") is not None and row["p_value_bh"] <= ALPHA
        row["broke_beyond_chance"] = found and row["improvement"] < 0
        row["fixed_beyond_chance"] = found and row["improvement"] > 0
    return rows


def _task(
    before: Sequence[Record], after: Sequence[Record], metric: str, direction: str
) -> Row | None:
    values = [_values(arm, metric) for arm in (before, after)]
    is_binary = {*values[0], *values[1]} <= {0, 1} and bool(values[0] or values[1])
    sign = -1 if direction == "lower" else 1
    best = 0 if direction == "lower" else 1
    if is_binary:
        counts = [
            (arm_values.count(best), len(arm_values) + _crashed(arm, metric))
            for arm, arm_values in zip((before, after), values, strict=True)
        ]
        if min(runs for _, runs in counts) < 2:
            return None
        (first, before_runs), (second, after_runs) = counts
        row: Row = {
            "method": "fisher", "baseline_passes": first, "baseline_runs": before_runs,
            "candidate_passes": second, "candidate_runs": after_runs,
            "improvement": second / after_runs - first / before_runs,
        }  # fmt: skip
        same = stats.hypergeom(before_runs + after_runs, first + second, after_runs)
        lower = same.cdf(second - 1) + same.pmf(second) / 2
        upper = same.sf(second) + same.pmf(second) / 2
    else:
        if min(map(len, values)) < 2:
            return None
        means = [math.fsum(arm) / len(arm) for arm in values]
        row = {
            "method": "permutation", "baseline_runs": len(values[0]),
            "candidate_runs": len(values[1]), "improvement": sign * (means[1] - means[0]),
        }  # fmt: skip
        lower, upper = _means(values, row)
    if direction == "unknown":
        return row | {"method": None, "p_value": None, "improvement": None}
    row["p_worse"], row["p_better"] = (
        (lower, upper) if is_binary or direction == "higher" else (upper, lower)
    )
    row["p_value"] = None if lower is None else min(1.0, 2 * min(lower, upper))
    return row


def _means(values: Sequence[Sequence[float]], row: Row) -> tuple[Any, Any]:
    """Return both one-sided p-values of two means; the row's method is set."""
    sizes = [len(arm) for arm in values]
    if math.comb(sum(sizes), sizes[1]) <= _MOST_ARRANGEMENTS:
        pooled = [Fraction(str(value)) for arm in values for value in arm]
        observed = sum(pooled[sizes[0] :])
        sums = [sum(chosen) for chosen in combinations(pooled, sizes[1])]
        below = sum(each < observed for each in sums)
        equal = Fraction(sums.count(observed), 2)
        lower = (below + equal) / len(sums)
        return float(lower), float(1 - lower)
    if min(sizes) < 7 or all(len(set(arm)) == 1 for arm in values):
        row["method"] = None
        return None, None
    row["method"] = "welch"
    less, greater = (
        stats.ttest_ind(values[1], values[0], equal_var=False, alternative=side).pvalue
        for side in ("less", "greater")
    )
    return less, greater


def _values(arm: Sequence[Record], metric: str) -> list[float]:
    if metric == "success":
        return [float(one["success"]) for one in arm if one.get("success") is not None]
    return [one["scores"][metric] for one in arm if metric in one.get("scores", {})]


def _crashed(arm: Sequence[Record], metric: str) -> int:
    """Count runs that ended badly and have no such score: they did not pass."""
    if metric == "success":
        return 0
    return sum(one.get("success") is False and metric not in one.get("scores", {}) for one in arm)


def flaky_tasks(
    records: Sequence[Record], metric: str, versions: Sequence[str]
) -> dict[tuple[str, str, str], Row]:
    """Return the rows of one metric by agent, group and task; records in the order of time.

    Args:
        records: each with agent, group, task, version and recorded_at.
        metric: key of a score of 0 and 1, or success.
        versions: in their order.

    """
    series: dict[tuple[str, str, str], list[tuple[int, bool]]] = defaultdict(list)
    for record in records:
        key = (record["agent_name"], record["experiment_group"], record["task_id"])
        for value in _values([record], metric):
            series[key].append((versions.index(record["extension_version"]), value == 1))
    rows = {
        key: _flips(sorted(runs, key=lambda run: run[0]))
        for key, runs in series.items()
        if len(runs) > 1
    }
    families: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for (agent, group, _), row in rows.items():
        if row["p_value"] is not None:
            families[agent, group].append(row)
    for family in families.values():
        adjusted = multipletests([row["p_value"] for row in family], method="fdr_bh")[1]
        for row, value in zip(family, adjusted, strict=True):
            row["p_value_bh"] = value
    for row in rows.values():
        row["state"] = _state(row)
    return rows


def _flips(runs: Sequence[tuple[int, bool]]) -> Row:
    passed = [one for _, one in runs]
    n, c = len(passed), sum(passed)
    by_version = [[one for _, one in found] for _, found in groupby(runs, key=lambda run: run[0])]
    pairs = [pair for found in by_version for pair in combinations(found, 2)]
    flips = sum(one != other for one, other in pairwise(passed))
    low, high = proportion_confint(c, n, ALPHA, method="wilson")
    row: Row = {
        "runs": n, "passes": c, "flips": flips, "versions": len(by_version),
        "mixed_versions": sum(len(set(found)) > 1 for found in by_version),
        "pass_rate": c / n, "pass_rate_low": low, "pass_rate_high": high,
        "flip_rate": flips / (n - 1),
        # the mean over all orders: any two places differ as often as any other two
        "expected_flip_rate": c * (n - c) / math.comb(n, 2),
        "flip_rate_in_version":
            sum(one != other for one, other in pairs) / len(pairs) if pairs else None,
        "p_value": None, "p_value_bh": None,
    }  # fmt: skip
    if 0 < c < n and math.comb(n, c) >= 2 / ALPHA:
        shares = _orders(n, c)
        fewer = sum(share for count, share in shares.items() if count < flips)
        row["p_fewer_flips"] = float(fewer + shares.get(flips, Fraction(0)) / 2)
        row["p_value"] = min(1.0, 2 * min(row["p_fewer_flips"], 1 - row["p_fewer_flips"]))
    return row


@cache
def _orders(n: int, c: int) -> dict[int, Fraction]:
    """Return how many of all orders of c passes among n runs flip how often, step by step."""
    # passes so far, whether the last passed, flips → orders
    ways: dict[tuple[int, bool, int], int] = {(1, True, 0): 1, (0, False, 0): 1}
    for _ in range(n - 1):
        longer: dict[tuple[int, bool, int], int] = defaultdict(int)
        for (passes, last, flips), count in ways.items():
            for now in (True, False):
                longer[passes + now, now, flips + (now != last)] += count
        ways = longer
    shares: dict[int, Fraction] = defaultdict(Fraction)
    for (passes, _, flips), count in ways.items():
        if passes == c:
            shares[flips] += Fraction(count, math.comb(n, c))
    return dict(shares)


def _state(row: Row) -> str:
    if row["passes"] in {0, row["runs"]}:
        return "steady"
    if row["p_value"] is None:
        return "too_few_runs"
    if row["p_value_bh"] > ALPHA:
        return "noise"
    return "changed" if row["p_fewer_flips"] < 0.5 else "alternating"


def pass_curve(outcomes: Mapping[str, Sequence[bool]]) -> dict[int, Row]:
    """Return pass@k and pass^k of an arm by k: every choice of k runs of a task is gone through.

    Args:
        outcomes: of the runs of each task, whether they passed.

    """
    rows: dict[int, Row] = {}
    for k in range(1, max(map(len, outcomes.values())) + 1):
        chosen = [list(combinations(runs, k)) for runs in outcomes.values() if len(runs) >= k]
        rows[k] = {"tasks": len(chosen)}
        for name, holds in (("pass_at_k", any), ("pass_hat_k", all)):
            passed = math.fsum(sum(map(holds, drawn)) / len(drawn) for drawn in chosen)
            low, high = proportion_confint(passed, len(chosen), ALPHA, method="wilson")
            rows[k] |= {
                name: passed / len(chosen), f"{name}_low": float(low), f"{name}_high": float(high),
            }  # fmt: skip
    return rows
