"""What each column of the comparison marts has to say, computed with SciPy and statsmodels.

Every function takes the pairs of one comparison and returns {column: expected value}; None is
null. Nothing here is shared with the SQL.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

import paired_readings
from paired_readings import Metric, Pair, Reading
from paired_tests import NOISE, Sample, evidence, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Columns = dict[str, object]
    Array = NDArray[np.float64]

__all__ = ["Metric", "Pair", "adjust", "compare", "wilson"]


def compare(pairs: Sequence[Pair], metric: Metric) -> Columns:
    """Give every column of one comparison that does not depend on the other metrics."""
    reading = paired_readings.read(pairs, metric)
    usable = reading.usable
    baseline = np.array([pair.baseline for pair in usable], dtype=float)
    candidate = np.array([pair.candidate for pair in usable], dtype=float)
    magnitude = np.maximum(abs(baseline), abs(candidate))
    difference = paired_readings.differences(baseline, candidate)
    clusters = paired_readings.clusters_of(usable)
    columns = _counts(pairs, usable, clusters)
    columns |= paired_readings.coverages(pairs, metric.settings.planned_dataset)
    columns |= _missing(pairs, reading, metric)
    columns |= _outcomes(difference, magnitude, metric)
    columns |= _descriptives(baseline, candidate, difference, metric)
    columns |= _repetitions(usable, difference, magnitude)
    columns |= _inference(reading, difference, clusters, metric)
    columns |= _improvement(reading, metric)
    columns |= _requirements(columns, reading, metric)
    return columns | {"flags": _flags(columns, reading, baseline, metric)}


def adjust(p_values: Sequence[float | None], method: str) -> list[float | None]:
    """Adjust the p-values of one family ('holm' or 'fdr_bh'); null is no test."""
    known = [p for p in p_values if p is not None]
    adjusted = iter(multipletests(known, method=method)[1] if known else [])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust by Holm 1979, step by step (statsmodels collects garbage at every call)."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for step, (p_value, place) in enumerate(known):
        largest = max(largest, min(1.0, p_value * (len(known) - step)))
        adjusted[place] = largest
    return adjusted


def _counts(pairs: Sequence[Pair], usable: Sequence[Pair], clusters: Sequence[str]) -> Columns:
    sizes = np.unique(np.array(clusters), return_counts=True)[1] if clusters else np.array([])
    present = [
        (pair.baseline is not None, pair.candidate is not None)
        for pair in pairs
        if pair.is_comparable
    ]
    return {
        "n_tasks": len(pairs),
        "n_pairs": len(usable),
        "n_baseline_only": present.count((True, False)),
        "n_candidate_only": present.count((False, True)),
        "n_incomparable": len(pairs) - len(present),
        "n_unscored": present.count((False, False)),
        "n_clusters": len(sizes),
        "effective_clusters": len(usable) ** 2 / float((sizes**2).sum()) if usable else None,
    }


def _missing(pairs: Sequence[Pair], reading: Reading, metric: Metric) -> Columns:
    """Give the second reading, and the bounds that any scores of the missing runs would keep."""
    names = ("mean_difference_missing_as_zero", "worst_case_low", "best_case_high")
    arms = [pair.arms() for pair in pairs if pair.is_comparable]
    if metric.kind != "score" or reading.completed is None or not arms:
        return dict.fromkeys(names)
    assert reading.completed.mean is not None
    bounds = [
        float(np.mean([two.completed(other) - one.completed(1 - other) for one, two in arms]))
        for other in (0, 1)
    ]
    return dict(zip(names, [metric.sign * reading.completed.mean, *bounds], strict=True))


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
    reading: Reading, difference: Array, clusters: Sequence[str], metric: Metric
) -> Columns:
    """Give intervals of the difference, and tests of the improvement."""
    settings, recorded = metric.settings, reading.recorded
    scale = max(
        (abs(value) for pair in reading.usable for value in (pair.baseline, pair.candidate)),
        default=0.0,
    )
    sample = Sample(difference, clusters, None, scale, is_binary=recorded.is_binary)
    found = evidence(sample, settings.alpha, settings.planned_tasks)
    stddev = _stddev(difference, scale)
    method = "none"
    if recorded.is_binary:
        method = "mcnemar_tango"
    elif recorded.error is not None:
        is_clustered = len(set(reading.clusters.values())) < recorded.n
        method = ("t_clustered" if is_clustered else "t") if recorded.error else "sign_test"
    columns: Columns = {
        "method": method,
        "standard_error": None if stddev is None else stddev / math.sqrt(len(difference)),
        "standard_error_clustered": found.error,
        "degrees_of_freedom": found.freedom,
        "ci_low": found.low,
        "ci_high": found.high,
        "minimum_detectable_effect": None,
        "p_value_exact": None,
        "_error": found.error,
    }
    if found.error and found.freedom is not None:
        quantiles = quantile(settings.alpha, found.freedom) + quantile(0.4, found.freedom)
        columns["minimum_detectable_effect"] = float(quantiles) * found.error
    if found.is_binary:
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        columns["p_value_exact"] = _sign_test(wins, losses)
    columns["p_value"] = _two_sided(recorded.better, recorded.worse)
    columns["p_anytime"] = _two_sided(recorded.better_anytime, recorded.worse_anytime)
    columns |= dict.fromkeys(("cs_low", "cs_high"))
    if recorded.error and recorded.mean is not None:
        mean = metric.sign * recorded.mean
        half, columns["p_anytime"] = confidence_sequence(
            mean, recorded.error * math.sqrt(recorded.groups), recorded.groups, metric
        )
        columns |= {"cs_low": mean - half, "cs_high": mean + half}
    return columns


def _two_sided(better: float | None, worse: float | None) -> float | None:
    return None if better is None or worse is None else min(1.0, 2 * min(better, worse))


def confidence_sequence(
    estimate: float, stddev: float, n: float, metric: Metric
) -> tuple[float, float]:
    """Give half the width at n, and the anytime-valid p-value (published formula)."""
    log_alpha = math.log(metric.settings.alpha)
    rho2 = (-2 * log_alpha + math.log(1 - 2 * log_alpha)) / metric.settings.planned_tasks
    half = math.sqrt(
        2 * (n * rho2 + 1) / (n**2 * rho2) * (0.5 * math.log(n * rho2 + 1) - log_alpha)
    )
    exponent = (estimate / stddev) ** 2 * n**2 * rho2 / (2 * (n * rho2 + 1))
    return half * stddev, min(1.0, math.exp(min(0.5 * math.log(n * rho2 + 1) - exponent, 0)))


def _improvement(reading: Reading, metric: Metric) -> Columns:
    """Give the one estimand of a metric: its interval, and what it is held to."""
    recorded, completed = reading.recorded, reading.completed
    is_logarithmic = metric.is_ratio and not reading.is_fallback
    columns: Columns = dict.fromkeys(("ratio", "ratio_low", "ratio_high"))
    columns["standard_error_fixed_tasks"] = reading.fixed.error
    columns["degrees_of_freedom_fixed_tasks"] = reading.fixed.freedom
    columns["n_ratio_excluded"] = reading.n_excluded if metric.is_ratio else None
    if is_logarithmic and recorded.mean is not None:
        ends = [metric.sign * end for end in (recorded.low, recorded.high) if end is not None]
        columns["ratio"] = math.exp(metric.sign * recorded.mean)
        if ends:
            columns |= {"ratio_low": math.exp(min(ends)), "ratio_high": math.exp(max(ends))}
    fixed = reading.fixed
    half = None
    if recorded.error and recorded.mean is not None:
        deviation = recorded.error * math.sqrt(recorded.groups)
        half, _ = confidence_sequence(recorded.mean, deviation, recorded.groups, metric)
    equivalence = _largest(recorded.lost, recorded.short)
    columns["is_equivalent"] = equivalence is not None and equivalence <= metric.settings.alpha
    allowed = None if metric.kind == "measurement" else metric.allowed()
    columns["margin_pct"] = None if allowed is None else 100 * allowed
    directed: Columns = {
        "improvement": recorded.mean,
        "improvement_error": recorded.error,
        "improvement_low": recorded.low,
        "improvement_high": recorded.high,
        "improvement_sequence_low": None if half is None else recorded.mean - half,
        "improvement_sequence_high": None if half is None else recorded.mean + half,
        "improvement_margin": reading.margin,
        "improvement_missing_as_zero": completed.mean if completed else None,
        "p_non_inferiority": recorded.lost,
        "p_equivalence": equivalence,
        "fixed_tasks_low": fixed.low,
        "fixed_tasks_high": fixed.high,
    }
    for end in ("", "_low", "_high"):
        value = directed[f"improvement{end}"]
        directed[f"improvement{end}_pct"] = shown(value, metric, is_logarithmic=is_logarithmic)
    for name in ("better", "worse", "lost"):
        directed[f"p_{name}"] = reading.larger(name)
        directed[f"p_{name}_anytime"] = reading.larger(f"{name}_anytime")
        directed[f"p_{name}_fixed_tasks"] = reading.larger_fixed(name)
    if metric.direction == "unknown":
        directed = dict.fromkeys(directed)
    return columns | directed


def _largest(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def shown(improvement: object, metric: Metric, *, is_logarithmic: bool) -> float | None:
    """Give points of a score, per cent saved of a ratio; nothing of a unit of its own."""
    if not isinstance(improvement, float) or metric.kind == "measurement":
        return None
    if is_logarithmic:
        return -100 * math.expm1(-improvement) if improvement > -700 else -math.inf
    return 100 * improvement


def _requirements(columns: Columns, reading: Reading, metric: Metric) -> Columns:
    """Give how many more tasks, or repetitions of these, reach the margin with power 0.8."""
    required: Columns = dict.fromkeys(("required_additional_tasks", "required_repetitions"))
    usable, error = reading.usable, reading.recorded.error
    n, margin, detectable = len(usable), reading.margin, _detectable(reading, metric)
    if not margin or error is None:
        return required
    z = float(-special.ndtri(metric.settings.alpha / 2))
    if not error:
        if reading.recorded.is_binary:
            # all ties: the score interval reaches z^2 / (n + z^2)
            required["required_additional_tasks"] = math.ceil(max(z**2 * (1 / margin - 1) - n, 0))
            required["required_additional_tasks"] = required["required_additional_tasks"] or None
        return required
    if detectable is None or detectable <= margin:
        return required
    errors = z + float(special.ndtri(0.8))
    wanted = n * (errors * error / margin) ** 2 - n
    required["required_additional_tasks"] = min(math.ceil(max(wanted, 0)), 10**15) or None
    within, between = columns["variance_within_task"], columns["variance_between_tasks"]
    if not metric.is_ratio and within and between is not None:
        design = (error / float(str(columns["standard_error"]))) ** 2
        affordable = (margin / errors) ** 2 * n / design - float(str(between))
        runs = sum(pair.baseline_repetitions + pair.candidate_repetitions for pair in usable)
        if affordable > 0:
            repetitions = runs / (2 * n) * float(str(within)) / affordable
            required["required_repetitions"] = min(math.ceil(repetitions), 10**15)
    return required


def _detectable(reading: Reading, metric: Metric) -> float | None:
    """Give the smallest improvement found with power 0.8."""
    error, freedom = reading.recorded.error, reading.recorded.freedom
    if not error or freedom is None:
        return None
    quantiles = quantile(metric.settings.alpha, freedom) + quantile(0.4, freedom)
    return float(quantiles) * error


def _flags(columns: Columns, reading: Reading, baseline: Array, metric: Metric) -> list[str]:
    """Give what a reader should know first, in the order of the mart."""
    margin, detectable = reading.margin or 0.0, _detectable(reading, metric)
    known = {name: float(str(value)) for name, value in columns.items() if _is_number(value)}
    # what is left of scores that cancel has no sign
    recorded, imputed = (
        value if abs(value) > NOISE else 0.0
        for value in (
            known.get("mean_difference", 0.0),
            known.get("mean_difference_missing_as_zero", 0.0),
        )
    )
    scale = float(abs(baseline).max(initial=0))
    uneven = any(
        one.runs != other.runs and min(one.runs, other.runs) > 0
        for one, other in (pair.arms() for pair in reading.tasks)
    )
    settings = metric.settings
    conditions = {
        "no_pairs": known["n_pairs"] == 0,
        "low_coverage": known["pair_coverage"] < settings.minimum_coverage - 1e-12,
        "few_clusters": known.get("effective_clusters", 0.0) < settings.minimum_clusters - 1e-9,
        "zero_variance": 0 in (known.get("stddev_difference"), columns["standard_error_clustered"]),
        "zero_baseline": len(baseline) > 0 and abs(baseline.mean()) <= NOISE * scale,
        "missing_flips_sign": recorded * imputed < 0,
        "underpowered": detectable is not None and detectable > margin > 0,
        "incomparable_versions": known["n_incomparable"] > 0,
        "one_sided_evaluator_version": metric.is_one_sided,
        "non_positive_values": known.get("n_ratio_excluded", 0) > 0,
        "differences_instead_of_ratios": metric.is_ratio and reading.is_fallback,
        "uneven_repetitions": uneven,
        "deciding_metric_guessed": metric.is_deciding and metric.is_guessed,
        "direction_unknown": metric.direction == "unknown",
        "direction_assumed": not metric.is_declared
        and metric.kind == "score"
        and metric.direction == "higher",
    }
    return [name for name, holds in conditions.items() if holds]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def wilson(mean: float | None, n: float | None, alpha: float) -> tuple[float, float]:
    """Give the Wilson interval of a mean of 0..1 scores; all of 0..1 without any."""
    if mean is None or not n:
        return 0.0, 1.0
    low, high = proportion_confint(mean * n, n, alpha, "wilson")
    return float(low), float(high)
