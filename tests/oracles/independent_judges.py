"""What judge_agreement and judge_corrections hold, by other ways: libraries, and leaving tasks out.

Cohen's kappa and its error are statsmodels', Wilson's interval too; Krippendorff's alpha goes by
the coincidence matrix of his 2011 paper (the package krippendorff 0.9.0 gives the numbers in
test_judge_oracles.py); errors come of really leaving a task out and computing everything again.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import permutations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROLES = {"baseline": "control", "code-chef": "treatment"}
KEY = ("evaluator_key", "judge_version", "metric", "slice_kind", "slice")
MOST_CATEGORIES = 20
_RATES = ("sensitivity", "specificity")
Unit = tuple[float, float, str, str]
"""Judge, human, cluster and role of a run."""
Distance: TypeAlias = "Callable[[float, float], float]"


def krippendorff_alpha(units: Sequence[Sequence[float]], distance: Distance) -> float | None:
    """Return alpha of units, each with what its coders said of it, by the coincidence matrix."""
    coincidences: Counter[tuple[float, float]] = Counter()
    for values in units:
        if len(values) > 1:
            for pair in permutations(values, 2):
                coincidences[pair] += 1 / (len(values) - 1)  # type: ignore[assignment]
    totals: Counter[float] = Counter()
    for (value, _), weight in coincidences.items():
        totals[value] += weight
    n = sum(totals.values())
    expected = sum(totals[c] * totals[k] * distance(c, k) for c in totals for k in totals)
    if not expected:
        return None
    observed = sum(weight * distance(c, k) for (c, k), weight in coincidences.items())
    return 1 - (n - 1) * observed / expected


def by_name(one: float, other: float) -> float:
    """Return whether two values differ."""
    return float(one != other)


def by_distance(one: float, other: float) -> float:
    """Return the squared distance of two values."""
    return (one - other) ** 2


def jackknife(
    units: Sequence[Unit], statistic: Callable[[Sequence[Unit]], float | None]
) -> float | None:
    """Return the error of a statistic by leaving one cluster out at a time; None without one."""
    clusters = sorted({unit[2] for unit in units})
    if len(clusters) < 2:
        return None
    values = [statistic([unit for unit in units if unit[2] != left]) for left in clusters]
    if any(value is None for value in values):
        return None
    found = np.asarray(values, float)
    return float(np.sqrt((len(found) - 1) / len(found) * ((found - found.mean()) ** 2).sum()))


def _interval(
    estimate: float | None, error: float | None, critical: float
) -> tuple[float | None, float | None]:
    if estimate is None or not error or error < 1e-12:  # rounding
        return None, None
    return estimate - critical * error, estimate + critical * error


def _mean_error(units: Sequence[Unit]) -> float | None:
    return float(np.mean([judge - human for judge, human, *_ in units])) if units else None


def _alpha(distance: Distance) -> Callable[[Sequence[Unit]], float | None]:
    return lambda units: krippendorff_alpha([unit[:2] for unit in units], distance)


def numbers(units: Sequence[Unit]) -> dict[str, Any]:
    """Return the numbers of one slice."""
    judge = np.asarray([unit[0] for unit in units])
    human = np.asarray([unit[1] for unit in units])
    sizes = Counter(unit[2] for unit in units)
    g_eff = len(units) ** 2 / sum(size**2 for size in sizes.values())
    row: dict[str, Any] = {
        "n_labels": len(units),
        "n_tasks": len(sizes),
        "judge_mean": float(judge.mean()),
        "human_mean": float(human.mean()),
        "agreement": float((judge == human).mean()),
        "bias": float((judge - human).mean()),
        "mean_absolute_error": float(abs(judge - human).mean()),
    }
    row |= _kappas(judge, human)
    critical = float(stats.t.ppf(0.975, len(sizes) - 1)) if len(sizes) > 1 else 0
    for name, distance in (("nominal", by_name), ("interval", by_distance)):
        alpha = _alpha(distance)(units)
        low, high = _interval(alpha, jackknife(units, _alpha(distance)), critical)
        row[f"krippendorff_{name}"] = alpha
        row[f"krippendorff_{name}_low"], row[f"krippendorff_{name}_high"] = low, high
    t_bias = float(stats.t.ppf(0.975, g_eff - 1)) if len(sizes) > 1 else 0
    row["bias_low"], row["bias_high"] = _interval(row["bias"], _jackknife_of_mean(units), t_bias)
    return row | _arms(units) | _rates(judge, human)


def _jackknife_of_mean(units: Sequence[Unit]) -> float | None:
    """Return the jackknife's error of the mean, around the mean of the whole."""
    clusters = sorted({unit[2] for unit in units})
    if len(clusters) < 2:
        return None
    whole = _mean_error(units)
    left = [_mean_error([unit for unit in units if unit[2] != one]) for one in clusters]
    squares = ((np.asarray(left, float) - whole) ** 2).sum()
    return float(np.sqrt((len(clusters) - 1) / len(clusters) * squares))


def _kappas(judge: np.ndarray[Any, Any], human: np.ndarray[Any, Any]) -> dict[str, Any]:
    names = sorted({*judge, *human})
    row: dict[str, Any] = dict.fromkeys(
        ("cohen_kappa", "cohen_kappa_low", "cohen_kappa_high", "confusion")
    )
    chance = judge.var() + human.var() + (judge.mean() - human.mean()) ** 2
    row["cohen_kappa_quadratic"] = (
        float(1 - ((judge - human) ** 2).mean() / chance) if len(names) > 1 else None
    )
    if max(len(set(judge)), len(set(human))) > MOST_CATEGORIES:
        return row
    table = np.zeros((len(names), len(names)))
    for one, other in zip(judge, human, strict=True):
        table[names.index(one), names.index(other)] += 1
    row["confusion"] = [
        {"judge": one, "human": other, "runs": int(table[i, j])}
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if table[i, j]
    ]
    if len(names) > 1:
        found = cohens_kappa(table)
        row["cohen_kappa"] = float(found.kappa)
        if (judge != human).any():
            row["cohen_kappa_low"], row["cohen_kappa_high"] = _interval(
                float(found.kappa), float(found.std_kappa), float(stats.norm.ppf(0.975))
            )
    return row


def _arms(units: Sequence[Unit]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("bias_between_arms", "bias_between_arms_low", "bias_between_arms_high")
    )
    arms = {role: [unit for unit in units if unit[3] == role] for role in ("treatment", "control")}
    row["candidate_bias"] = _mean_error(arms["treatment"])
    row["baseline_bias"] = _mean_error(arms["control"])
    if not all(arms.values()):
        return row
    row["bias_between_arms"] = row["candidate_bias"] - row["baseline_bias"]
    clusters = [len({unit[2] for unit in arm}) for arm in arms.values()]
    if min(clusters) < 2:
        return row
    sums: defaultdict[str, float] = defaultdict(float)
    for sign, role in ((1, "treatment"), (-1, "control")):
        n = len(arms[role])
        for judge, human, cluster, _ in arms[role]:
            part = judge - human - float(np.mean([one[0] - one[1] for one in arms[role]]))
            sums[cluster] += sign * part / np.sqrt(n * (n - 1))
    error = float(np.sqrt(sum(value**2 for value in sums.values())))
    critical = float(stats.t.ppf(0.975, min(clusters) - 1))
    low, high = _interval(row["bias_between_arms"], error, critical)
    return row | {"bias_between_arms_low": low, "bias_between_arms_high": high}


def _rates(judge: np.ndarray[Any, Any], human: np.ndarray[Any, Any]) -> dict[str, Any]:
    names = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    rates = [f"{rate}{end}" for rate in _RATES for end in ("", "_low", "_high")]
    row: dict[str, Any] = dict.fromkeys((*names, *rates))
    row["is_binary"] = bool(({*judge, *human}) <= {0.0, 1.0})
    if not row["is_binary"]:
        return row
    pairs = Counter(zip(judge, human, strict=True))
    counts = [pairs[1, 1], pairs[1, 0], pairs[0, 1], pairs[0, 0]]
    row |= dict(zip(names, counts, strict=True))
    for rate, right, wrong in (("sensitivity", 0, 2), ("specificity", 3, 1)):
        n = counts[right] + counts[wrong]
        if n:
            row[rate] = counts[right] / n
            low, high = proportion_confint(counts[right], n, method="wilson")
            row[f"{rate}_low"], row[f"{rate}_high"] = float(low), float(high)
    return row


def agreement(
    runs: Sequence[dict[str, Any]], labels: Sequence[tuple[str, str, str, str, float]]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the rows of judge_agreement by key, from records and labels of them."""
    said: defaultdict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for experiment, run, key, author, score in labels:
        said[experiment, run, key][author] = score
    slices: defaultdict[tuple[str, ...], list[Unit]] = defaultdict(list)
    authors: defaultdict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    for run in runs:
        for key, score in run["scores"].items():
            human = said.get((run["experiment_id"], run["source_run_id"], key))
            if human is None:
                continue
            role = ROLES[run["experiment_group"]]
            cluster = json.dumps([run["experiment_id"], run["task_id"]])
            unit = (float(score), sum(human.values()) / len(human), cluster, role)
            for kind, name in (
                ("all", ""), ("arm", role), ("group", run["experiment_group"]),
                ("experiment", run["experiment_id"]), ("category", run["metadata"]["category"]),
                ("month", run["recorded_at"][:7]),
            ):  # fmt: skip
                version = run["evaluator_versions"].get(key, "")
                slices[key, version, key, kind, name].append(unit)
                authors[key, version, key, kind, name].append(list(human.values()))
    return {
        key: numbers(units)
        | {
            "annotators": max(map(len, authors[key])),
            "people_krippendorff_interval": krippendorff_alpha(authors[key], by_distance),
        }
        for key, units in slices.items()
    }
