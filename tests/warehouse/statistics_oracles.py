"""What each column of the comparison marts has to say, computed with SciPy and statsmodels.

Every function takes the pairs of one comparison and returns {column: expected value}; None is
null. Nothing here is shared with the SQL: intervals, tests and clustered errors come from the
libraries, the score interval from a search of the likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Columns = dict[str, object]
    Array = NDArray[np.float64]

RATIO_KINDS = {"latency", "tokens", "cost"}
NOISE = 1e-12


@dataclass(frozen=True)
class Pair:
    """One task in both arms; None is a missing value."""

    task_id: str
    baseline: float | None
    candidate: float | None
    cluster_id: str | None = None
    is_comparable: bool = True
    baseline_repetitions: int = 1
    candidate_repetitions: int = 1
    baseline_stddev: float | None = None
    candidate_stddev: float | None = None


@dataclass(frozen=True)
class Metric:
    """What the seed says of a metric, and the settings of the project."""

    kind: str = "score"
    direction: str = "higher"
    tie_margin: float = 0.0
    margin: float | None = 0.05
    """Without one there is no test of non-inferiority."""
    alpha: float = 0.05
    planned_tasks: float = 500

    @property
    def sign(self) -> int:
        """Give -1 where lower is better."""
        return -1 if self.direction == "lower" else 1


def compare(pairs: Sequence[Pair], metric: Metric) -> Columns:
    """Give every column of one comparison that does not depend on the other metrics."""
    usable = [
        pair
        for pair in pairs
        if pair.baseline is not None and pair.candidate is not None and pair.is_comparable
    ]
    baseline = np.array([pair.baseline for pair in usable], dtype=float)
    candidate = np.array([pair.candidate for pair in usable], dtype=float)
    magnitude = np.maximum(abs(baseline), abs(candidate))
    difference = candidate - baseline
    difference[abs(difference) <= NOISE * magnitude] = 0
    clusters = [pair.cluster_id or f"task {pair.task_id}" for pair in usable]
    columns = _counts(pairs, usable, clusters)
    columns |= _missing(pairs, difference, metric)
    columns |= _outcomes(difference, magnitude, metric)
    columns |= _descriptives(baseline, candidate, difference, metric)
    columns |= _repetitions(usable, difference, magnitude)
    scale = float(magnitude.max(initial=0))
    columns |= _inference(usable, difference, clusters, scale, metric)
    columns |= _ratios(baseline, candidate, clusters, metric)
    columns |= _margins(columns, metric) | _requirements(columns, usable, metric)
    return columns | {"flags": _flags(columns, baseline, metric)}


def adjust(p_values: Sequence[float | None], method: str) -> list[float | None]:
    """Adjust the p-values of one family ('holm' or 'fdr_bh'); null is no test."""
    known = [p for p in p_values if p is not None]
    adjusted = iter(multipletests(known, method=method)[1] if known else [])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def tango_interval(b: int, c: int, n: int, alpha: float) -> tuple[float, float]:
    """Invert the score test, its nuisance parameter found by a search of the likelihood."""
    z = stats.norm.isf(alpha / 2)

    def score(delta: float) -> float:
        low, high = max(0.0, -delta), (1 - delta) / 2

        def slope(q: float) -> float:
            # derivative of b ln(q + delta) + c ln q + (n - b - c) ln(1 - 2 q - delta)
            terms = ((b, q + delta, 1), (c, q, 1), (n - b - c, 1 - 2 * q - delta, -2))
            return sum(
                factor * (count / share if share > 0 else math.inf)
                for count, share, factor in terms
                if count
            )

        width = high - low
        inner = (low + 1e-15 * width, high - 1e-15 * width)
        if slope(inner[0]) <= 0:
            share = low
        elif slope(inner[1]) >= 0:
            share = high
        else:
            share = float(optimize.brentq(slope, *inner, xtol=1e-18, rtol=1e-15))
        variance = n * (2 * share + delta * (1 - delta))
        return (b - c - n * delta) / math.sqrt(variance) if variance > 0 else math.inf

    estimate, edge = (b - c) / n, 1e-13
    low = high = estimate
    if c < n:
        low = float(optimize.brentq(lambda d: score(d) - z, -1 + edge, estimate - edge, xtol=1e-16))
    if b < n:
        high = float(optimize.brentq(lambda d: score(d) + z, estimate + edge, 1 - edge, xtol=1e-16))
    return low, high


def confidence_sequence(
    estimate: float, stddev: float, n: float, metric: Metric
) -> tuple[float, float]:
    """Give half the width at n, and the anytime-valid p-value (published formula)."""
    log_alpha = math.log(metric.alpha)
    rho2 = (-2 * log_alpha + math.log(1 - 2 * log_alpha)) / metric.planned_tasks
    half = math.sqrt(
        2 * (n * rho2 + 1) / (n**2 * rho2) * (0.5 * math.log(n * rho2 + 1) - log_alpha)
    )
    exponent = (estimate / stddev) ** 2 * n**2 * rho2 / (2 * (n * rho2 + 1))
    return half * stddev, min(1.0, math.exp(min(0.5 * math.log(n * rho2 + 1) - exponent, 0)))


def clustered_error(difference: Array, clusters: Sequence[str]) -> float:
    """Give the cluster-robust standard error of a mean (statsmodels)."""
    codes = np.unique(np.array(clusters), return_inverse=True)[1]
    centred = difference - difference.mean()
    unit = float(abs(centred).max()) or 1.0
    model = sm.OLS(centred / unit, np.ones(len(difference)))
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    return float(fit.bse[0]) * unit


def _counts(pairs: Sequence[Pair], usable: Sequence[Pair], clusters: Sequence[str]) -> Columns:
    sizes = np.unique(np.array(clusters), return_counts=True)[1] if clusters else np.array([])
    present = [(pair.baseline is not None, pair.candidate is not None) for pair in pairs]
    return {
        "n_tasks": len(pairs),
        "n_pairs": len(usable),
        "n_baseline_only": present.count((True, False)),
        "n_candidate_only": present.count((False, True)),
        "n_incomparable": present.count((True, True)) - len(usable),
        "n_unscored": present.count((False, False)),
        "pair_coverage": len(usable) / len(pairs),
        "n_clusters": len(sizes),
        "effective_clusters": len(usable) ** 2 / float((sizes**2).sum()) if usable else None,
    }


def _missing(pairs: Sequence[Pair], difference: Array, metric: Metric) -> Columns:
    names = ("mean_difference_missing_as_zero", "worst_case_low", "best_case_high")
    absent = [pair for pair in pairs if pair.baseline is None or pair.candidate is None]
    total = len(difference) + len(absent)
    if metric.kind != "score" or total == 0:
        return dict.fromkeys(names)
    imputed = []
    for for_baseline, for_candidate in ((0, 0), (1, 0), (0, 1)):
        values = [
            (for_candidate if pair.candidate is None else pair.candidate)
            - (for_baseline if pair.baseline is None else pair.baseline)
            for pair in absent
        ]
        imputed.append(float(difference.sum() + sum(values)) / total)
    return dict(zip(names, imputed, strict=True))


def _outcomes(difference: Array, magnitude: Array, metric: Metric) -> Columns:
    gain = metric.sign * difference
    width = metric.tie_margin + NOISE * np.maximum(magnitude, metric.tie_margin)
    wins, losses = int((gain > width).sum()), int((-gain > width).sum())
    n = len(difference)
    return {
        "wins": wins,
        "losses": losses,
        "ties": n - wins - losses,
        "p_sign_test": _sign_test(wins, losses) if n else None,
        "probability_of_superiority": (wins + (n - wins - losses) / 2) / n if n else None,
    }


def _sign_test(wins: int, losses: int) -> float:
    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _stddev(values: Array, scale: float) -> float | None:
    if len(values) <= 1:
        return None
    centred = values - values.mean()
    unit = float(abs(centred).max()) or 1.0
    spread = float(np.std(centred / unit, ddof=1)) * unit
    return spread if spread > NOISE * scale else 0.0


def _descriptives(baseline: Array, candidate: Array, difference: Array, metric: Metric) -> Columns:
    if len(difference) == 0:
        return {"mean_difference": None, "baseline_mean": None, "candidate_mean": None}
    scales = float(abs(baseline).max()), float(abs(candidate).max())
    means = float(baseline.mean()), float(candidate.mean())
    stddev = _stddev(difference, max(scales))
    columns: Columns = {
        "baseline_mean": means[0],
        "candidate_mean": means[1],
        "mean_difference": float(difference.mean()),
        "stddev_difference": stddev,
        "effect_size_dz": float(difference.mean()) / stddev if stddev else None,
        "relative_change": None,
        "pair_correlation": None,
    }
    if abs(means[0]) > NOISE * scales[0]:
        columns["relative_change"] = metric.sign * float(difference.mean()) / abs(means[0])
    if _stddev(baseline - means[0], scales[0]) and _stddev(candidate - means[1], scales[1]):
        centred = [arm - arm.mean() for arm in (baseline, candidate)]
        pearson = stats.pearsonr(*(arm / abs(arm).max() for arm in centred))
        columns["pair_correlation"] = float(pearson.statistic)
    return columns


def _repetitions(usable: Sequence[Pair], difference: Array, magnitude: Array) -> Columns:
    noises = [
        pair.baseline_stddev**2 / pair.baseline_repetitions
        + pair.candidate_stddev**2 / pair.candidate_repetitions
        for pair in usable
        if min(pair.baseline_repetitions, pair.candidate_repetitions) > 1
        and pair.baseline_stddev is not None
        and pair.candidate_stddev is not None
    ]
    within = float(np.mean(noises)) if noises else None
    stddev = _stddev(difference, float(magnitude.max(initial=0)))
    between = None if within is None or stddev is None else max(0.0, stddev**2 - within)
    return {"variance_within_task": within, "variance_between_tasks": between}


def _inference(
    usable: Sequence[Pair],
    difference: Array,
    clusters: Sequence[str],
    scale: float,
    metric: Metric,
) -> Columns:
    n, n_clusters = len(difference), len(set(clusters))
    stddev = _stddev(difference, scale)
    is_clustered = n_clusters < n
    naive = None if stddev is None else stddev / math.sqrt(n)
    robust = None
    if n_clusters > 1:
        robust = clustered_error(difference, clusters) if stddev else 0.0
        robust = robust if robust * math.sqrt(n_clusters) > NOISE * scale else 0.0
    sizes = np.unique(np.array(clusters), return_counts=True)[1] if n else np.array([])
    effective = n**2 / float((sizes**2).sum()) if n else 0.0
    freedom = effective - 1 if n_clusters > 1 else None
    error = robust if is_clustered else naive
    columns: Columns = dict.fromkeys(
        ("ci_low", "ci_high", "p_value", "cs_low", "cs_high", "p_anytime")
    )
    columns |= {
        "standard_error": naive,
        "standard_error_clustered": robust,
        "degrees_of_freedom": freedom,
        "minimum_detectable_effect": None,
        "method": "none",
        "_error": error,
    }
    mean = float(difference.mean()) if n else 0.0
    if error and freedom is not None:
        quantile = float(stats.t.isf(metric.alpha / 2, freedom))
        columns |= {
            "method": "t_clustered" if is_clustered else "t",
            "p_value": 2 * float(stats.t.sf(abs(mean / error), freedom)),
            "ci_low": mean - quantile * error,
            "ci_high": mean + quantile * error,
            "minimum_detectable_effect": (quantile + float(stats.t.ppf(0.8, freedom))) * error,
        }
        half, columns["p_anytime"] = confidence_sequence(
            mean, error * math.sqrt(effective), effective, metric
        )
        columns |= {"cs_low": mean - half, "cs_high": mean + half}
        if not is_clustered:
            reference = stats.ttest_rel(difference / scale, np.zeros(n))
            columns["p_value"] = float(reference.pvalue)
    elif error == 0:
        columns["method"] = "sign_test"
        columns["p_value"] = 1.0 if abs(mean) <= NOISE * scale else _sign_test(n_clusters, 0)
    is_binary = n > 0 and all(
        {pair.baseline, pair.candidate} <= {0, 1}
        and pair.baseline_repetitions == pair.candidate_repetitions == 1
        for pair in usable
    )
    if is_binary and not is_clustered:
        b, c = int((difference > 0).sum()), int((difference < 0).sum())
        low, high = tango_interval(b, c, n, metric.alpha)
        columns |= {"method": "mcnemar_tango", "p_value": _sign_test(b, c)}
        columns |= {"ci_low": low, "ci_high": high}
    return columns


def _ratios(baseline: Array, candidate: Array, clusters: Sequence[str], metric: Metric) -> Columns:
    columns: Columns = dict.fromkeys(("ratio", "ratio_low", "ratio_high", "n_ratio_excluded"))
    if metric.kind not in RATIO_KINDS:
        return columns
    positive = (baseline > 0) & (candidate > 0)
    logs = np.log(candidate[positive] / baseline[positive])
    groups = [name for name, kept in zip(clusters, positive, strict=True) if kept]
    n, n_clusters = len(logs), len(set(groups))
    columns["n_ratio_excluded"] = len(baseline) - n
    if n == 0:
        return columns
    columns["ratio"] = math.exp(logs.mean())
    if n_clusters <= 1:
        return columns
    stddev = float(np.std(logs, ddof=1))
    if n_clusters < n:
        sizes = np.unique(np.array(groups), return_counts=True)[1]
        freedom = n**2 / float((sizes**2).sum()) - 1
        error = clustered_error(logs, groups)
    else:
        freedom, error = n - 1, stddev / math.sqrt(n)
    if stddev <= NOISE or error * math.sqrt(n_clusters) <= NOISE:
        error = 0.0
    columns |= {"_log_mean": float(logs.mean()), "_log_error": error, "_log_freedom": freedom}
    if error:
        if n_clusters == n:
            interval = stats.ttest_1samp(logs, 0).confidence_interval(1 - metric.alpha)
            low, high = float(interval.low), float(interval.high)
        else:
            half = float(stats.t.isf(metric.alpha / 2, freedom)) * error
            low, high = float(logs.mean()) - half, float(logs.mean()) + half
        columns |= {"ratio_low": math.exp(low), "ratio_high": math.exp(high)}
    return columns


def _requirements(columns: Columns, usable: Sequence[Pair], metric: Metric) -> Columns:
    """Give how many more tasks, or repetitions of these, reach the margin with power 0.8."""
    required: Columns = dict.fromkeys(("required_additional_tasks", "required_repetitions"))
    is_ratio = metric.kind in RATIO_KINDS
    error = columns.get("_log_error") if is_ratio else columns["_error"]
    n, margin, detectable = len(usable), *_detectable(columns, metric)
    if not margin or error is None:
        return required
    z = float(stats.norm.isf(metric.alpha / 2))
    if not error:
        if columns["method"] == "mcnemar_tango":
            # all ties: the score interval reaches z^2 / (n + z^2)
            required["required_additional_tasks"] = math.ceil(max(z**2 * (1 / margin - 1) - n, 0))
            required["required_additional_tasks"] = required["required_additional_tasks"] or None
        return required
    error = float(str(error))
    if detectable is None or detectable <= margin:
        return required
    errors = z + float(stats.norm.ppf(0.8))
    wanted = n * (errors * error / margin) ** 2 - n
    required["required_additional_tasks"] = min(math.ceil(max(wanted, 0)), 10**15) or None
    within, between = columns["variance_within_task"], columns["variance_between_tasks"]
    if not is_ratio and within and between is not None:
        design = (error / float(str(columns["standard_error"]))) ** 2
        affordable = (margin / errors) ** 2 * n / design - float(str(between))
        runs = sum(pair.baseline_repetitions + pair.candidate_repetitions for pair in usable)
        if affordable > 0:
            repetitions = runs / (2 * n) * float(str(within)) / affordable
            required["required_repetitions"] = min(math.ceil(repetitions), 10**15)
    return required


def _detectable(columns: Columns, metric: Metric) -> tuple[float, float | None]:
    """Give the margin of an improvement, and the smallest one found with power 0.8."""
    is_ratio = metric.kind in RATIO_KINDS
    error = columns.get("_log_error") if is_ratio else columns["_error"]
    freedom = columns.get("_log_freedom") if is_ratio else columns["degrees_of_freedom"]
    margin = metric.margin or 0.0
    if is_ratio:
        margin = math.log1p(margin) if metric.sign < 0 else -math.log1p(-margin)
    if not error or freedom is None:
        return margin, None
    freedom = float(str(freedom))
    quantiles = stats.t.isf(metric.alpha / 2, freedom) + stats.t.ppf(0.8, freedom)
    return margin, float(quantiles) * float(str(error))


def _flags(columns: Columns, baseline: Array, metric: Metric) -> list[str]:
    """Give what a reader should know first, in the order of the mart."""
    margin, detectable = _detectable(columns, metric)
    known = {name: float(str(value)) for name, value in columns.items() if _is_number(value)}
    imputed = known.get("mean_difference_missing_as_zero", 0.0)
    imputed = imputed if abs(imputed) > NOISE else 0.0
    scale = float(abs(baseline).max(initial=0))
    conditions = {
        "no_pairs": known["n_pairs"] == 0,
        "low_coverage": known["pair_coverage"] < 0.95,
        "few_clusters": known.get("effective_clusters", 0.0) < 10 - 1e-9,
        "zero_variance": 0 in (known.get("stddev_difference"), columns["standard_error_clustered"]),
        "zero_baseline": len(baseline) > 0 and abs(baseline.mean()) <= NOISE * scale,
        "missing_flips_sign": known.get("mean_difference", 0.0) * imputed < 0,
        "underpowered": detectable is not None and detectable > margin > 0,
        "incomparable_versions": known["n_incomparable"] > 0,
        "non_positive_values": known.get("n_ratio_excluded", 0) > 0,
    }
    return [name for name, holds in conditions.items() if holds]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _margins(columns: Columns, metric: Metric) -> Columns:
    mean, error = columns["mean_difference"], columns["_error"]
    freedom, margin = columns["degrees_of_freedom"], metric.margin
    if margin is None:
        return {"p_non_inferiority": None, "p_equivalence": None}
    if metric.kind in RATIO_KINDS:
        mean, error = columns.get("_log_mean"), columns.get("_log_error")
        freedom = columns.get("_log_freedom")
        margin = math.log1p(margin) if metric.sign < 0 else -math.log1p(-margin)
    if not error or mean is None or freedom is None:
        return {"p_non_inferiority": None, "p_equivalence": None}
    gain = metric.sign * float(str(mean))
    low = float(stats.t.sf((gain + margin) / float(str(error)), float(str(freedom))))
    high = float(stats.t.cdf((gain - margin) / float(str(error)), float(str(freedom))))
    return {"p_non_inferiority": low, "p_equivalence": max(low, high)}


def weighted_improvement(
    legs: Sequence[tuple[Metric, float, Sequence[Pair]]], alpha: float
) -> Columns:
    """Give the weighted relative change and its interval from per-task influences.

    legs: metric, weight and pairs of each metric of one comparison. The error is the cluster-robust
    one of the mean of the influences, times the number of tasks (statsmodels).
    """
    usable = []
    for metric, weight, pairs in legs:
        both = [
            pair
            for pair in pairs
            if pair.baseline is not None and pair.candidate is not None and pair.is_comparable
        ]
        if weight > 0 and both and np.mean([pair.baseline for pair in both]) != 0:
            usable.append((metric, weight, both))
    total = sum(weight for _, weight, _ in usable)
    change, influences, clusters = 0.0, dict[str, float](), dict[str, str]()
    for metric, weight, both in usable:
        baseline = np.array([pair.baseline for pair in both], dtype=float)
        candidate = np.array([pair.candidate for pair in both], dtype=float)
        size = abs(baseline.mean())
        change += weight / total * metric.sign * (candidate.mean() - baseline.mean()) / size
        parts = (candidate - candidate.mean() / baseline.mean() * baseline) / size / len(both)
        for pair, part in zip(both, parts, strict=True):
            moved = weight / total * metric.sign * float(part)
            influences[pair.task_id] = influences.get(pair.task_id, 0.0) + moved
            clusters[pair.task_id] = pair.cluster_id or f"task {pair.task_id}"
    columns: Columns = {"weighted_improvement_pct": 100 * change if usable else None}
    columns |= dict.fromkeys(("weighted_improvement_low_pct", "weighted_improvement_high_pct"))
    groups = [clusters[task] for task in influences]
    sizes = np.unique(np.array(groups), return_counts=True)[1] if groups else np.array([])
    if len(sizes) > 1:
        n = len(groups)
        error = n * clustered_error(np.array(list(influences.values())), groups)
        freedom = n**2 / float((sizes**2).sum()) - 1
        half = float(stats.t.isf(alpha / 2, freedom)) * error
        columns |= {
            "weighted_improvement_error_pct": 100 * error,
            "weighted_improvement_low_pct": 100 * (change - half),
            "weighted_improvement_high_pct": 100 * (change + half),
        }
    return columns


def equivalence_p_value(difference: Array, margin: float) -> float:
    """Give the p-value of two one-sided t-tests (statsmodels)."""
    return float(DescrStatsW(difference).ttost_mean(-margin, margin)[0])


def wilson(mean: float | None, n: float | None, alpha: float) -> tuple[float, float]:
    """Give the Wilson interval of a mean of 0..1 scores; all of 0..1 without any."""
    if mean is None or not n:
        return 0.0, 1.0
    low, high = proportion_confint(mean * n, n, alpha, "wilson")
    return float(low), float(high)
