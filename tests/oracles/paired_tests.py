"""Tests of a mean of paired improvements, from SciPy, statsmodels and searches of the likelihood.

Nothing here is shared with the SQL: the error of a mean leaves one cluster out after another, the
score test searches its nuisance parameter, quantiles and tails are the libraries'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NOISE = 1e-12


class Evidence(NamedTuple):
    """What one reading of one metric says; None is undefined."""

    n: int = 0
    groups: float = 0.0
    """Effective clusters."""
    mean: float | None = None
    error: float | None = None
    freedom: float | None = None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    worse: float | None = None
    lost: float | None = None
    short: float | None = None
    """The mirror of `lost`: the p-value of a gain below the margin."""
    better_anytime: float | None = None
    worse_anytime: float | None = None
    lost_anytime: float | None = None
    is_binary: bool = False


class Sample(NamedTuple):
    """Improvements per task, + is better, on the scale of their margin."""

    gains: Array
    clusters: Sequence[str]
    margin: float | None
    scale: float
    """Largest value behind the gains: what is 1e-12 of it is rounding."""
    is_share: bool = False
    """Of scores, which end at 0 and 1."""
    is_binary: bool = False


def evidence(sample: Sample, alpha: float, planned_tasks: float) -> Evidence:
    """Test a mean against 0 and its margin.

    A mean that does not vary (error 0) is tested by counting: half a chance for each cluster that
    lies on one side, and for a share the chance that none of g clusters shows a loss of the margin.
    A search over looks cannot turn that round, so it holds at every look.
    """
    gains, n = sample.gains, len(sample.gains)
    sizes = np.unique(np.array(sample.clusters), return_counts=True)[1] if n else np.array([1])
    groups = n**2 / float((sizes**2).sum())
    mean = float(gains.mean()) if n else None
    error, freedom = error_of_mean(gains, sample.clusters, sample.scale)
    found = Evidence(n, groups, mean, error, freedom)
    if mean is None or error is None or freedom is None or n < 2:
        return found
    margin = sample.margin
    if error == 0:
        is_flat = abs(mean) <= NOISE * sample.scale
        half = 0.5**groups
        better = half if mean > 0 and not is_flat else 1.0
        worse = half if mean < 0 and not is_flat else 1.0
        lost = None if margin is None else _unvarying(mean, margin, groups, sample)
        short = None if margin is None else _unvarying(-mean, margin, groups, sample)
        found = found._replace(better=better, worse=worse, lost=lost, short=short)
        found = found._replace(better_anytime=better, worse_anytime=worse, lost_anytime=lost)
    else:
        half_width = quantile(alpha, freedom) * error
        found = found._replace(
            low=mean - half_width,
            high=mean + half_width,
            better=tail(mean / error, freedom),
            worse=tail(-mean / error, freedom),
            better_anytime=anytime(mean / error, groups, alpha, planned_tasks),
            worse_anytime=anytime(-mean / error, groups, alpha, planned_tasks),
        )
        if margin is not None:
            found = found._replace(
                lost=tail((mean + margin) / error, freedom),
                short=tail(-(mean - margin) / error, freedom),
                lost_anytime=anytime((mean + margin) / error, groups, alpha, planned_tasks),
            )
    if sample.is_binary:
        wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
        low, high = tango_interval(wins, losses, n, alpha)
        found = found._replace(
            low=low,
            high=high,
            better=mid_p(wins, losses),
            worse=mid_p(losses, wins),
            lost=None if margin is None else tango_p(wins, losses, n, margin),
            short=None if margin is None else tango_p(losses, wins, n, margin),
            is_binary=True,
        )
    return found


def _unvarying(mean: float, margin: float, groups: float, sample: Sample) -> float:
    if mean + margin <= NOISE * max(1.0, abs(mean)):
        return 1.0
    return (1 - margin) ** groups if sample.is_share else 0.5**groups


def tail(deviate: float, freedom: float) -> float:
    """Give Student's upper tail (what scipy.stats.t.sf calls, without its cost)."""
    return float(special.stdtr(freedom, -deviate))


def quantile(alpha: float, freedom: float) -> float:
    """Give Student's two-sided quantile."""
    return -float(special.stdtrit(freedom, alpha / 2))


def error_of_mean(
    gains: Array, clusters: Sequence[str], scale: float
) -> tuple[float | None, float | None]:
    """Give the jackknife's error of a mean, clusters left out whole, and its degrees of freedom."""
    n, names = len(gains), sorted(set(clusters))
    if len(names) < 2:
        return None, None
    places = np.searchsorted(names, np.array(clusters))
    sizes = np.bincount(places).astype(float)
    freedom = n**2 / float((sizes**2).sum()) - 1
    centred = gains - gains.mean()
    unit = float(abs(centred).max()) or 1.0
    if float(np.std(centred / unit, ddof=1)) * unit <= NOISE * scale:
        return 0.0, freedom
    if len(names) == n:
        return float(np.std(centred / unit, ddof=1)) / math.sqrt(n) * unit, freedom
    kept = np.arange(len(names))[:, None] != places[None, :]
    means = np.array([float((centred[row] / unit).mean()) for row in kept])
    whole = float((centred / unit).mean())
    share = (len(names) - 1) / len(names)
    error = math.sqrt(share * float(((means - whole) ** 2).sum())) * unit
    return (error if error * math.sqrt(len(names)) > NOISE * scale else 0.0), freedom


def anytime(deviate: float, groups: float, alpha: float, planned_tasks: float) -> float:
    """Give the one-sided p-value that holds at every look (Waudby-Smith et al. 2021)."""
    if deviate <= NOISE:
        return 1.0
    log_alpha = math.log(alpha)
    mass = groups * (-2 * log_alpha + math.log(1 - 2 * log_alpha)) / planned_tasks
    exponent = 0.5 * math.log(mass + 1) - min(deviate, 1e150) ** 2 * mass / (2 * (mass + 1))
    return 0.5 * math.exp(min(exponent, 0))


def mid_p(wins: int, losses: int) -> float:
    """Give the chance of more wins than these, half of as many counted (McNemar's mid-p)."""
    n = wins + losses
    coin = stats.binom
    return float(coin.sf(wins, n, 0.5) + 0.5 * coin.pmf(wins, n, 0.5)) if n else 0.5


def tango_p(wins: int, losses: int, n: int, margin: float) -> float:
    """Give the p-value of the score test that the difference is -margin or below."""
    return float(special.ndtr(-score_deviate(wins, losses, n, -margin)))


def score_deviate(b: int, c: int, n: int, delta: float) -> float:
    """Give the deviate of a paired difference, its nuisance parameter by a search."""
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


def tango_interval(b: int, c: int, n: int, alpha: float) -> tuple[float, float]:
    """Invert the score test."""
    z, edge, estimate = -float(special.ndtri(alpha / 2)), 1e-13, (b - c) / n

    def excess(delta: float, sign: int) -> float:
        return score_deviate(b, c, n, delta) - sign * z

    low = high = estimate
    if c < n:
        low = float(optimize.brentq(excess, -1 + edge, estimate - edge, (1,), xtol=1e-16))
    if b < n:
        high = float(optimize.brentq(excess, estimate + edge, 1 - edge, (-1,), xtol=1e-16))
    return low, high


class FixedTasks(NamedTuple):
    """What is said of these very tasks: only their runs vary."""

    error: float | None = None
    freedom: float | None = None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    worse: float | None = None
    lost: float | None = None


def fixed_tasks(
    mean: float,
    spreads: Sequence[tuple[float, int, float, int]],
    margin: float | None,
    alpha: float,
) -> FixedTasks:
    """Test a mean of differences whose only error is that of each task's own mean.

    Args:
        mean: improvement.
        spreads: per task the variance and the number of runs of the baseline, then the candidate's.
        margin: of the improvement.
        alpha: two-sided level.

    """
    if len(spreads) < 2 or min(min(one[1], one[3]) for one in spreads) < 2:
        return FixedTasks()
    parts = [(variance / runs, runs) for one in spreads for variance, runs in (one[:2], one[2:])]
    total = math.fsum(part for part, _ in parts)
    error = math.sqrt(total) / len(spreads)
    if error <= NOISE:
        return FixedTasks()
    freedom = total**2 / math.fsum(part**2 / (runs - 1) for part, runs in parts)
    half = quantile(alpha, freedom) * error
    return FixedTasks(
        error,
        freedom,
        mean - half,
        mean + half,
        tail(mean / error, freedom),
        tail(-mean / error, freedom),
        None if margin is None else tail((mean + margin) / error, freedom),
    )
