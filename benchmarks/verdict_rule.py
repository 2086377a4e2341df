"""The rule of the verdict on thousands of experiments at once, in numpy: for simulation.

An array of improvements has a row an experiment and a column a task. tests/warehouse holds this
against the rule in plain Python, which is held against the marts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]

ALPHA, KEPT_LEVEL = 0.05, 0.2
LEVEL, HARM_LEVEL, GAIN_LEVEL = ALPHA / 2, ALPHA / 20, ALPHA / 100
MINIMUM_TASKS, MINIMUM_CLUSTERS, MINIMUM_GAIN = 10, 3.0, 0.25
PLANNED_TASKS = 500


@dataclass
class Tests:
    """One reading of one metric: a number an experiment."""

    mean: Floats
    error: Floats
    better: Floats
    worse: Floats
    lost: Floats
    n: int
    groups: float


@dataclass
class Metric:
    """A metric of every experiment, and its say."""

    role: str
    gains: Floats
    """Improvements as recorded, on the scale of the margin; NaN is no pair."""
    margin: float = 0.05
    completed: Floats | None = None
    """The second reading, where something is missing."""
    is_binary: bool = False
    is_share: bool = True
    weight: float = 0.0
    coverage: Floats | float = 1.0
    clusters: NDArray[np.int64] | None = None
    """Cluster of each task; None: each its own."""
    tests: list[Tests] = field(default_factory=list)

    def measure(self, *, peeking: bool = False) -> None:
        """Test both readings."""
        readings = [self.gains] if self.completed is None else [self.gains, self.completed]
        self.tests = [test_means(one, self, peeking=peeking) for one in readings]

    def p(self, name: str) -> Floats:
        """Give the p-value that both readings satisfy."""
        return np.max([getattr(one, name) for one in self.tests], axis=0)  # type: ignore[no-any-return]

    @property
    def lower(self) -> tuple[Floats, Floats]:
        """Give mean and error of the reading with the lower improvement."""
        first, last = self.tests[0], self.tests[-1]
        is_last = last.mean < first.mean
        return (
            np.where(is_last, last.mean, first.mean),
            np.where(is_last, last.error, first.error),
        )

    def is_kept(self, level: float) -> Flags:
        """Say where a loss of the margin is excluded."""
        return self.p("lost") <= level

    def is_harmed(self, p_value: Floats, level: float) -> Flags:
        """Say where it is worse at this level, and not kept."""
        return (p_value <= level) & (self.tests[0].mean < 0) & ~self.is_kept(KEPT_LEVEL)

    def has_enough(self) -> bool:
        """Say whether it may decide."""
        recorded = self.tests[0]
        return recorded.n >= MINIMUM_TASKS and recorded.groups >= MINIMUM_CLUSTERS - 1e-9


def test_means(gains: Floats, metric: Metric, *, peeking: bool) -> Tests:
    """Test means against 0 and the margin."""
    known = ~np.isnan(gains)
    n = known.sum(axis=1)
    mean = np.nanmean(gains, axis=1)
    if metric.clusters is None:
        groups = n.astype(float)
        centred = np.where(known, gains - mean[:, None], 0)
        error = np.sqrt((centred**2).sum(axis=1) / (n - 1) / n)
    else:
        sizes = np.bincount(metric.clusters).astype(float)
        groups = np.full(len(gains), sizes.sum() ** 2 / (sizes**2).sum())
        error = jackknife(gains - mean[:, None], metric.clusters)
    freedom = groups - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        deviate, to_margin = mean / error, (mean + metric.margin) / error
    tail = _anytime if peeking else _student
    better, worse = tail(deviate, freedom), tail(-deviate, freedom)
    lost = tail(to_margin, freedom)
    is_flat = error <= 1e-12
    half = 0.5**groups
    unvarying = (1 - metric.margin) ** groups if metric.is_share else half
    better = np.where(is_flat, np.where(mean > 1e-12, half, 1.0), better)
    worse = np.where(is_flat, np.where(mean < -1e-12, half, 1.0), worse)
    lost = np.where(is_flat, np.where(mean + metric.margin > 1e-12, unvarying, 1.0), lost)
    if metric.is_binary and not peeking and metric.clusters is None:
        wins, losses = (known & (gains > 0.5)).sum(axis=1), (known & (gains < -0.5)).sum(axis=1)
        better, worse = mid_p(wins, losses), mid_p(losses, wins)
        lost = tango(wins, losses, n, metric.margin)
    return Tests(mean, error, better, worse, lost, int(n.min()), float(groups.min()))


def _student(deviate: Floats, freedom: Floats) -> Floats:
    return special.stdtr(freedom, -deviate)  # type: ignore[no-any-return]


def _anytime(deviate: Floats, freedom: Floats) -> Floats:
    log_alpha = math.log(ALPHA)
    mass = (freedom + 1) * (-2 * log_alpha + math.log(1 - 2 * log_alpha)) / PLANNED_TASKS
    exponent = 0.5 * np.log(mass + 1) - deviate**2 * mass / (2 * (mass + 1))
    return np.where(deviate > 0, 0.5 * np.exp(np.minimum(exponent, 0)), 1.0)


def jackknife(centred: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Give the error of a mean of centred values, one cluster left out after another."""
    sizes = np.bincount(clusters).astype(float)
    sums = np.stack([centred[:, clusters == name].sum(axis=1) for name in range(len(sizes))])
    moved = sums / (sizes.sum() - sizes)[:, None]
    return np.sqrt((len(sizes) - 1) / len(sizes) * (moved**2).sum(axis=0))  # type: ignore[no-any-return]


def mid_p(wins: NDArray[np.int64], losses: NDArray[np.int64]) -> Floats:
    """Give McNemar's mid-p of at least so many wins."""
    above = special.betainc(wins + 1, np.maximum(losses, 1e-300), 0.5)
    at_least = special.betainc(np.maximum(wins, 1e-300), losses + 1, 0.5)
    above = np.where(losses == 0, 0.0, above)
    at_least = np.where(wins == 0, 1.0, at_least)
    return 0.5 * (above + at_least)


def tango(
    wins: NDArray[np.int64], losses: NDArray[np.int64], n: NDArray[np.int64], margin: float
) -> Floats:
    """Give the p-value of the score test of a loss of the margin (Tango 1998, closed form)."""
    delta = -margin
    a = 2.0 * n
    b = -(wins + losses) + (2 * n - wins + losses) * delta
    c = -losses * delta * (1 - delta)
    share = (np.sqrt(np.maximum(b**2 - 4 * a * c, 0)) - b) / (2 * a)
    variance = n * (2 * share + delta * (1 - delta))
    with np.errstate(divide="ignore", invalid="ignore"):
        deviate = (wins - losses - n * delta) / np.sqrt(np.maximum(variance, 0))
    return special.ndtr(-deviate)  # type: ignore[no-any-return]


def holm(p_values: Sequence[Floats]) -> list[Floats]:
    """Adjust each experiment's family."""
    if not p_values:
        return []
    stacked = np.stack(p_values)
    order = np.argsort(stacked, axis=0)
    steps = (len(p_values) - np.arange(len(p_values)))[:, None]
    raised = np.minimum(1, np.maximum.accumulate(np.take_along_axis(stacked, order, 0) * steps))
    adjusted = np.empty_like(stacked)
    np.put_along_axis(adjusted, order, raised, 0)
    return list(adjusted)


@dataclass
class Verdicts:
    """What the rule says of every experiment."""

    deploy: Flags
    reject: Flags
    trade_off: Flags
    not_worse: Flags
    by_gain: Flags
    """Deployed by the second route alone."""
    is_stopped: Flags
    """By low coverage: more tasks do not help."""
    metrics: list[Metric]

    @property
    def deciding(self) -> Metric:
        """Give the metric that decides."""
        return next(one for one in self.metrics if one.role == "deciding")


def judge(
    metrics: list[Metric],
    *,
    peeking: bool = False,
    minimum_coverage: float = 0.95,
    better: Floats | None = None,
) -> Verdicts:
    """Apply the rule.

    Args:
        metrics: one of them decides.
        peeking: by the p-values that hold at every look.
        minimum_coverage: of the deciding metric and the guardrails.
        better: p_better of the deciding metric, adjusted over candidates or of these tasks.

    """
    for one in metrics:
        one.measure(peeking=peeking)
    deciding = next(one for one in metrics if one.role == "deciding")
    guardrails = [one for one in metrics if one.role == "guardrail"]
    success = [one for one in metrics if one.role == "success"]
    tripwires = [one for one in metrics if one.role == "tripwire"]
    n = len(deciding.gains)
    none = np.zeros(n, dtype=bool)
    composite, composite_better, composite_worse = _composite(deciding, guardrails, peeking)

    is_better = (deciding.p("better") if better is None else better) <= LEVEL
    is_harmed = deciding.is_harmed(deciding.p("worse"), LEVEL) & deciding.has_enough()
    harmful = none.copy()
    guards = [*guardrails, *success]
    for one, p_value in zip(guards, holm([one.p("worse") for one in guards]), strict=True):
        harmful |= one.is_harmed(p_value, HARM_LEVEL) & one.has_enough()
    reject = is_harmed | (harmful & ~is_better)

    stop = none | (not deciding.has_enough())
    covered = none | True
    for one in [deciding, *guardrails]:
        covered &= one.coverage >= minimum_coverage - 1e-12
    watched = [*tripwires, *success]
    for one, p_value in zip(watched, holm([one.p("worse") for one in watched]), strict=True):
        stop |= one.is_harmed(p_value, LEVEL)
    if composite_worse is not None:
        stop |= composite_worse <= LEVEL

    kept, proven = none | True, deciding.is_kept(LEVEL)
    for one in guardrails:
        kept &= one.is_kept(KEPT_LEVEL)
        proven &= one.is_kept(LEVEL)
    quality = proven & (np.min([one.worse for one in deciding.tests], axis=0) > LEVEL)
    family = [one.p("better") for one in guardrails]
    gain = none.copy()
    adjusted = holm([*family, composite_better] if composite_better is not None else family)
    for place, one in enumerate(guardrails):
        gain |= (adjusted[place] <= GAIN_LEVEL) & (one.lower[0] >= MINIMUM_GAIN * one.margin)
    if composite is not None:
        gain |= (adjusted[-1] <= GAIN_LEVEL) & (composite >= MINIMUM_GAIN)

    is_free = ~reject & ~harmful & ~stop & covered
    deploy = is_free & ((is_better & kept) | (quality & gain))
    return Verdicts(
        deploy, reject, harmful & is_better & ~reject, is_free & ~deploy & quality,
        deploy & ~(is_better & kept), ~covered, metrics,
    )  # fmt: skip


def _composite(
    deciding: Metric, guardrails: list[Metric], peeking: bool
) -> tuple[Floats | None, Floats | None, Floats | None]:
    """Weigh improvements in margins; every metric has every task."""
    parts = [deciding, *(one for one in guardrails if one.weight > 0)]
    if len(parts) < 2:
        return None, None, None
    weights = [one.weight or sum(other.weight for other in guardrails) for one in parts]
    scaled = sum(
        weight / sum(weights) / one.margin * one.gains
        for weight, one in zip(weights, parts, strict=True)
    )
    whole = Metric("composite", np.asarray(scaled), 1.0, is_share=False, clusters=deciding.clusters)
    found = test_means(whole.gains, whole, peeking=peeking)
    return found.mean, found.better, found.worse


def paired_t(gains: Floats) -> Floats:
    """Give the one-sided p-value of a paired t-test of a gain."""
    n = gains.shape[1]
    error = gains.std(axis=1, ddof=1) / math.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviate = np.where(error > 0, gains.mean(axis=1) / error, 0.0)
    return special.stdtr(n - 1, -deviate)  # type: ignore[no-any-return]
