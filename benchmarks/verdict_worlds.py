"""Simulated experiments for the rule of the verdict: what nothing, a gain and harm look like.

Every function draws `count` experiments of `n` tasks and returns improvements, a row an experiment.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special
from verdict_rule import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rng = np.random.Generator

RATIO_MARGIN = math.log(1.2)


def coin(rng: Rng, count: int, n: int, p: float) -> Metric:
    """Two arms that solve each task by the same chance."""
    gains = (rng.random((count, n)) < p) * 1.0 - (rng.random((count, n)) < p)
    return Metric("deciding", gains, is_binary=True)


def decided(rng: Rng, count: int, n: int, p: float) -> Metric:
    """Tasks that are mostly solved always or never, with chances from a bathtub of mean p."""
    chances = rng.beta(0.3 * p, 0.3 * (1 - p), (count, n))
    gains = (rng.random((count, n)) < chances) * 1.0 - (rng.random((count, n)) < chances)
    return Metric("deciding", gains, is_binary=True)


def discordant(
    rng: Rng, count: int, n: int, share: float, gain: float, role: str = "deciding"
) -> Metric:
    """A share of tasks that differ, and how much more of them are won than lost."""
    drawn = rng.random((count, n))
    wins = drawn < (share + gain) / 2
    losses = ~wins & (drawn < share)
    return Metric(role, wins * 1.0 - losses, is_binary=True)


def continuous(
    rng: Rng, count: int, n: int, gain: float = 0.0, sd: float = 0.11, role: str = "guardrail"
) -> Metric:
    """A score whose differences are normal."""
    return Metric(role, gain + sd * rng.standard_normal((count, n)), weight=0.2)


def judge(rng: Rng, count: int, n: int) -> Metric:
    """A judge from 1 to 5 on tasks of different difficulty, scaled to 0..1."""
    level = 3.6 + 0.9 * rng.standard_normal((count, n))
    arms = [np.clip(np.rint(level + 0.7 * rng.standard_normal((count, n))), 1, 5) for _ in "bc"]
    return Metric("deciding", (arms[1] - arms[0]) / 4)


def ratio(
    rng: Rng, count: int, n: int, sd: float, saving: float = 0.0, weight: float = 0.15
) -> Metric:
    """Latency or cost: logarithms that vary by sd in each run; saving is a logarithm too."""
    gains = saving + math.sqrt(2) * sd * rng.standard_normal((count, n))
    return Metric("guardrail", gains, RATIO_MARGIN, is_share=False, weight=weight)


def heavy_ratio(rng: Rng, count: int, n: int, tail: str) -> Metric:
    """Latency with long tails: exp(t3 / 2), or Pareto of shape 3."""
    arms = [
        0.5 * rng.standard_t(3, (count, n))
        if tail == "t3"
        else rng.standard_exponential((count, n)) / 3
        for _ in "bc"
    ]
    return Metric("guardrail", arms[0] - arms[1], RATIO_MARGIN, is_share=False, weight=0.15)


def success(rng: Rng, count: int, n: int, p: float = 0.98, harm: float = 0.0) -> Metric:
    """Whether a run ended well."""
    base = rng.random((count, n)) < p
    again = rng.random((count, n)) < p - harm
    return Metric("success", again * 1.0 - base, is_binary=True)


def correlated(rng: Rng, count: int, n: int, number: int, rho: float) -> list[Metric]:
    """Binary guardrails that move together in each arm, solved by a chance of 0.8."""
    threshold = special.ndtri(0.8)
    arms = []
    for _ in "bc":
        shared = rng.standard_normal((1, count, n))
        own = rng.standard_normal((number, count, n))
        arms.append(math.sqrt(rho) * shared + math.sqrt(1 - rho) * own < threshold)
    return [
        Metric("guardrail", arms[1][one] * 1.0 - arms[0][one], is_binary=True, weight=0.2)
        for one in range(number)
    ]


def repeated(
    rng: Rng, count: int, n: int, runs: int, interaction: float, p: float = 0.7, gain: float = 0.0
) -> tuple[Metric, Floats, Floats]:
    """Repetitions of tasks, whose difficulty an arm may change; with each arm's counts of passes.

    interaction: standard deviation, on the probit scale, of what a task gains in one arm.
    """
    centre = special.ndtri(p) * math.sqrt(2 + interaction**2)
    level = centre + rng.standard_normal((count, n))
    passes = []
    for shift in (0.0, gain):
        chance = special.ndtr(level + interaction / math.sqrt(2) * rng.standard_normal((count, n)))
        passes.append(rng.binomial(runs, np.clip(chance + shift, 0, 1)).astype(float))
    gains = (passes[1] - passes[0]) / runs
    return Metric("deciding", gains, is_binary=runs == 1), passes[0], passes[1]


def unscored(rng: Rng, count: int, n: int, runs: int, p: float, share: float) -> Metric:
    """Failing runs of the candidate that leave no score, by this share; the rest is unchanged."""
    chances = rng.beta(2 * p, 2 * (1 - p), (count, n))
    base, passes = (rng.binomial(runs, chances).astype(float) for _ in "bc")
    lost = rng.binomial((runs - passes).astype(int), share)
    scored = runs - lost
    with np.errstate(invalid="ignore", divide="ignore"):
        recorded = np.where(scored > 0, passes / scored, np.nan) - base / runs
    return Metric(
        "deciding",
        recorded,
        completed=(passes - base) / runs,
        is_binary=runs == 1,
        coverage=scored.mean(axis=1) / runs,
    )


def clustered(
    rng: Rng, count: int, sizes: list[int], icc: float, gain: float = 0.0, p: float = 0.7
) -> Metric:
    """Tasks in clusters that share what a candidate gains, as much as icc says."""
    names = np.repeat(np.arange(len(sizes)), sizes)
    n = len(names)
    level = special.ndtri(p) * math.sqrt(1.5) + math.sqrt(0.5) * rng.standard_normal((count, n))
    arms = []
    for shift in (0.0, gain):
        shared = rng.standard_normal((count, len(sizes)))[:, names]
        own = rng.standard_normal((count, n))
        noise = math.sqrt(icc) * shared + math.sqrt(1 - icc) * own
        arms.append(level + noise > -shift * 3)
    return Metric("deciding", arms[1] * 1.0 - arms[0], is_binary=False, clusters=names)


CLUSTERS = {
    "4 x 5": [5] * 4,
    "10 x 5": [5] * 10,
    "20 x 5": [5] * 20,
    "30 x 10": [10] * 30,
    "1 x 40 + 15 x 4": [40] + [4] * 15,
    "4 x 20 + 30 x 2": [20] * 4 + [2] * 30,
    "1 x 200 + 15 x 20": [200] + [20] * 15,
    "as SWE-bench": [231, 75, 44, 34, 32, 22, 22, 19, 10, 8, 2, 1],
}
