"""What judge_corrections holds, by really leaving tasks out and by complex-step derivatives.

The weight and the estimate are those of ppi_py 0.2.3 (`ppi_mean_pointestimate`, `_calc_lam_glm`);
test_judge_oracles.py holds them to numbers of that package. Its error divides by n, is normal,
and takes the weight as given: here the two parts are the jackknife's over clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence


Number = TypeVar("Number", float, complex)


class Task(NamedTuple):
    """A task that the judge scored in both arms: means of its runs, labels of some of them."""

    cluster: str
    baseline: list[float]
    candidate: list[float]
    baseline_labels: list[tuple[float, float]]
    """Judge and human."""
    candidate_labels: list[tuple[float, float]]


def power_tuned(
    human: Sequence[float], judge: Sequence[float], unlabelled: Sequence[float]
) -> tuple[float, float]:
    """Return the prediction-powered mean and the judge's weight in it."""
    y, g, f = (np.asarray(values, float) for values in (human, judge, unlabelled))
    if len(f) < 2:
        return float(y.mean()), 0.0
    covariance = ((y - y.mean()) * (g - g.mean())).mean()
    variance = np.concatenate([g, f]).var(ddof=1)
    weight = float(np.clip(covariance / ((1 + len(y) / len(f)) * variance), 0, 1))
    return float(weight * f.mean() + (y - weight * g).mean()), weight


def _left_out(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float]:
    """Return, by cluster, what leaving it out does to the mean, as the jackknife scales it."""
    found = {}
    names = set(clusters)
    for left in names:
        rest = [value for value, name in zip(values, clusters, strict=True) if name != left]
        found[left] = (np.mean(values) - np.mean(rest)) * np.sqrt((len(names) - 1) / len(names))
    return found


def powered(tasks: Sequence[Task], margin: float) -> dict[str, Any]:
    """Return the prediction-powered numbers of a comparison, higher being better."""
    labelled = [task for task in tasks if task.baseline_labels and task.candidate_labels]
    others = [task for task in tasks if not (task.baseline_labels and task.candidate_labels)]
    human = [_gap(task, 1) for task in labelled]
    judge = [_gap(task, 0) for task in labelled]
    unlabelled = [float(np.mean(task.candidate) - np.mean(task.baseline)) for task in others]
    estimate, weight = power_tuned(human, judge, unlabelled)
    clusters = [task.cluster for task in labelled]
    rectified = [y - weight * g for y, g in zip(human, judge, strict=True)]
    parts = _left_out(rectified, clusters)
    n, g = len(labelled), len(parts)
    lost = 2 if weight else 1
    parts = {name: part * np.sqrt((g - 1) / (g - lost)) for name, part in parts.items()}
    imputed = (
        _left_out([weight * value for value in unlabelled], [task.cluster for task in others])
        if weight
        else {}
    )
    error = np.sqrt(
        sum((parts.get(name, 0) + imputed.get(name, 0)) ** 2 for name in parts | imputed)
    )
    df = n**2 / sum(clusters.count(name) ** 2 for name in set(clusters)) - lost
    return {
        "n_labelled_tasks": n,
        "judge_weight": weight,
        "human_improvement": float(np.mean(human)),
        "improvement": estimate,
        "improvement_error": float(error),
        "degrees_of_freedom": df,
        "improvement_low": estimate - stats.t.ppf(0.975, df) * error,
        "improvement_high": estimate + stats.t.ppf(0.975, df) * error,
        "p_value": 2 * stats.t.sf(abs(estimate / error), df),
        "p_better": stats.t.sf(estimate / error, df),
        "p_worse": stats.t.cdf(estimate / error, df),
        "p_lost": stats.t.sf((estimate + margin) / error, df),
    }


def _gap(task: Task, reading: int) -> float:
    return float(
        np.mean([pair[reading] for pair in task.candidate_labels])
        - np.mean([pair[reading] for pair in task.baseline_labels])
    )


def rogan_gladen(tasks: Sequence[Task]) -> dict[str, Any]:
    """Return the Rogan-Gladen difference, its error by complex-step derivatives in the weights."""
    clusters = sorted({task.cluster for task in tasks})
    labelled = {task.cluster for task in tasks if task.baseline_labels or task.candidate_labels}
    influences = []
    for cluster in clusters:
        weights = {name: complex(1, 1e-30 * (name == cluster)) for name in clusters}
        influences.append(_difference(tasks, weights).imag / 1e-30)
    estimate = _difference(tasks, dict.fromkeys(clusters, complex(1))).real
    g = len(labelled)
    error = float(np.sqrt(sum(value**2 for value in influences) * g / (g - 1)))
    return {
        "rogan_gladen_improvement": estimate,
        "rogan_gladen_error": error,
        "rogan_gladen_low": estimate - stats.t.ppf(0.975, g - 1) * error,
        "rogan_gladen_high": estimate + stats.t.ppf(0.975, g - 1) * error,
        "rogan_gladen_p_value": 2 * stats.t.sf(abs(estimate / error), g - 1),
    }


def _difference(tasks: Sequence[Task], weights: dict[str, complex]) -> complex:
    return _true_share(tasks, weights, "candidate") - _true_share(tasks, weights, "baseline")


def true_share(share: Number, sensitivity: Number, specificity: Number) -> Number:
    """Return the share that truly passes, of the share that passes the test."""
    return (share + specificity - 1) / (sensitivity + specificity - 1)


def _true_share(tasks: Sequence[Task], weights: dict[str, complex], arm: str) -> complex:
    """Return it for an arm, tasks weighted."""
    passed = whole = hits = positives = rejections = negatives = 0j
    for task in tasks:
        weight = weights[task.cluster]
        whole += weight
        passed += weight * np.mean(getattr(task, arm))
        pairs = getattr(task, f"{arm}_labels")
        for judge, human in pairs:
            share = weight / len(pairs)
            hits += share * judge * human
            positives += share * human
            rejections += share * (1 - judge) * (1 - human)
            negatives += share * (1 - human)
    sensitivity, specificity = hits / positives, rejections / negatives
    return true_share(passed / whole, sensitivity, specificity)
