"""What judge_repeats and the lengths of judge_agreement hold, from records, by other ways."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

if TYPE_CHECKING:
    from collections.abc import Sequence

Pair = tuple[str, float, float]
"""Task, earlier and later value."""
Judgement = tuple[str, str, str, str, float]
"""Answer, task, key, version, value; in order of time."""


def numbers(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the numbers of two versions, or of one with itself."""
    tasks = [task for task, *_ in pairs]
    before = np.asarray([pair[1] for pair in pairs])
    after = np.asarray([pair[2] for pair in pairs])
    gaps = after - before
    sizes = np.asarray([tasks.count(task) for task in sorted(set(tasks))], float)
    effective = float(len(pairs) ** 2 / (sizes**2).sum())
    low, high = proportion_confint(
        float((before == after).mean()) * effective, effective, method="wilson"
    )
    error = _jackknife(gaps, tasks)
    width = None if error is None else float(stats.t.ppf(0.975, effective - 1)) * error
    mean = float(gaps.mean())
    return {
        "n_pairs": len(pairs),
        "n_tasks": len(sizes),
        "effective_tasks": effective,
        "from_mean": float(before.mean()),
        "to_mean": float(after.mean()),
        "agreement": float((before == after).mean()),
        "agreement_low": float(low),
        "agreement_high": float(high),
        "mean_difference": mean,
        "difference_error": error,
        "difference_low": None if width is None else mean - width,
        "difference_high": None if width is None else mean + width,
        "mean_absolute_difference": float(abs(gaps).mean()),
    }


def _jackknife(values: np.ndarray[Any, Any], tasks: Sequence[str]) -> float | None:
    """Return the error of a mean by leaving tasks out; of tasks of one size, statsmodels'."""
    names = sorted(set(tasks))
    if len(names) < 2:
        return None
    owner = np.asarray(tasks)
    left = np.asarray([values[owner != name].mean() for name in names])
    error = float(np.sqrt((len(names) - 1) / len(names) * ((left - values.mean()) ** 2).sum()))
    if len(names) == len(values):
        fitted = OLS(values, np.ones(len(values))).fit()
        assert np.isclose(error, float(fitted.bse[0]), rtol=1e-9, atol=1e-15)
    return error if error > 1e-12 else None


def repeats(judgements: Sequence[Judgement]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows of judge_repeats by key and versions."""
    order: defaultdict[str, list[str]] = defaultdict(list)
    said: defaultdict[tuple[str, str], defaultdict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    task_of = {}
    for answer, task, key, version, value in judgements:
        said[answer, key][version].append(value)
        task_of[answer] = task
        if version not in order[key]:
            order[key].append(version)
    pairs: defaultdict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for (answer, key), versions in said.items():
        for version, values in versions.items():
            pairs[key, version, version] += [
                (task_of[answer], *two) for two in pairwise(values)
            ]  # fmt: skip
        for before, after in combinations(order[key], 2):
            if before in versions and after in versions:
                means = [float(np.mean(versions[version])) for version in (before, after)]
                pairs[key, before, after].append((task_of[answer], *means))
    return {key: numbers(found) for key, found in pairs.items() if found}


def length_correlation(errors: Sequence[float], lengths: Sequence[int]) -> dict[str, Any]:
    """Return Pearson's correlation and Fisher's interval, SciPy's."""
    found = stats.pearsonr(errors, lengths)
    ends = found.confidence_interval(0.95)
    return {
        "n_lengths": len(lengths),
        "length_correlation": float(found.statistic),
        "length_correlation_low": float(ends.low),
        "length_correlation_high": float(ends.high),
    }
