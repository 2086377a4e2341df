"""Simulated experiments for the rule of the verdict: what nothing, a gain and harm look like.

Every function draws improvements of a shape: a row an experiment, a column a task.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special
from verdict_rule import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Rng = np.random.Generator
    Shape = tuple[int, int]

RATIO_MARGIN = math.log(1.2)


def coin(rng: Rng, shape: Shape, p: float) -> Metric:
    """Two arms that solve each task by the same chance."""
    gains = (rng.random(shape) < p) * 1.0 - (rng.random(shape) < p)
    return Metric("deciding", gains, is_binary=True)


def decided(rng: Rng, shape: Shape, p: float) -> Metric:
    """Tasks that are mostly solved always or never, with chances from a bathtub of mean p."""
    chances = rng.beta(0.3 * p, 0.3 * (1 - p), shape)
    gains = (rng.random(shape) < chances) * 1.0 - (rng.random(shape) < chances)
    return Metric("deciding", gains, is_binary=True)


def discordant(rng: Rng, shape: Shape, share: float, gain: float, role: str = "deciding") -> Metric:
    """Give a share of tasks that differ, and how much more of them are won than lost."""
    drawn = rng.random(shape)
    wins = drawn < (share + gain) / 2
    losses = ~wins & (drawn < share)
    return Metric(role, wins * 1.0 - losses, is_binary=True)


def continuous(
    rng: Rng, shape: Shape, gain: float = 0.0, sd: float = 0.11, role: str = "guardrail"
) -> Metric:
    """Draw a score whose differences are normal."""
    return Metric(role, gain + sd * rng.standard_normal(shape), weight=0.2)


def judge(rng: Rng, shape: Shape) -> Metric:
    """Draw a judge from 1 to 5 on tasks of different difficulty, scaled to 0..1."""
    level = 3.6 + 0.9 * rng.standard_normal(shape)
    arms = [np.clip(np.rint(level + 0.7 * rng.standard_normal(shape)), 1, 5) for _ in "bc"]
    return Metric("deciding", (arms[1] - arms[0]) / 4)


def ratio(rng: Rng, shape: Shape, sd: float, saving: float = 0.0, weight: float = 0.15) -> Metric:
    """Latency or cost: logarithms that vary by sd in each run; saving is a logarithm too."""
    gains = saving + math.sqrt(2) * sd * rng.standard_normal(shape)
    return Metric("guardrail", gains, RATIO_MARGIN, is_share=False, weight=weight)


def heavy_ratio(rng: Rng, shape: Shape, tail: str) -> Metric:
    """Latency with long tails: exp(t3 / 2), or Pareto of shape 3."""
    arms = [
        0.5 * rng.standard_t(3, shape) if tail == "t3" else rng.standard_exponential(shape) / 3
        for _ in "bc"
    ]
    return Metric("guardrail", arms[0] - arms[1], RATIO_MARGIN, is_share=False, weight=0.15)


def success(rng: Rng, shape: Shape, p: float = 0.98, harm: float = 0.0) -> Metric:
    """Whether a run ended well."""
    base = rng.random(shape) < p
    again = rng.random(shape) < p - harm
    return Metric("success", again * 1.0 - base, is_binary=True)


def correlated(rng: Rng, shape: Shape, number: int, rho: float) -> list[Metric]:
    """Binary guardrails that move together in each arm, solved by a chance of 0.8."""
    threshold = special.ndtri(0.8)
    arms = []
    for _ in "bc":
        shared = rng.standard_normal((1, *shape))
        own = rng.standard_normal((number, *shape))
        arms.append(math.sqrt(rho) * shared + math.sqrt(1 - rho) * own < threshold)
    return [
        Metric("guardrail", arms[1][one] * 1.0 - arms[0][one], is_binary=True, weight=0.2)
        for one in range(number)
    ]


def repeated(rng: Rng, shape: Shape, runs: int, interaction: float, p: float = 0.7) -> Metric:
    """Repetitions of tasks, whose difficulty an arm may change.

    interaction: standard deviation, on the probit scale, of what a task gains in one arm.
    """
    centre = special.ndtri(p) * math.sqrt(2 + interaction**2)
    level = centre + rng.standard_normal(shape)
    arms = []
    for _ in "bc":
        chance = special.ndtr(level + interaction / math.sqrt(2) * rng.standard_normal(shape))
        arms.append(rng.binomial(runs, chance) / runs)
    return Metric("deciding", arms[1] - arms[0], is_binary=runs == 1)


def unscored(rng: Rng, shape: Shape, runs: int, p: float, share: float) -> Metric:
    """Failing runs of the candidate that leave no score, by this share; the rest is unchanged."""
    chances = rng.beta(2 * p, 2 * (1 - p), shape)
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


def clustered(rng: Rng, count: int, sizes: list[int], icc: float, gain: float = 0.0) -> Metric:
    """Tasks in clusters that share what a candidate gains, as much as icc says."""
    names = np.repeat(np.arange(len(sizes)), sizes)
    shape = count, len(names)
    level = special.ndtri(0.7) * math.sqrt(1.5) + math.sqrt(0.5) * rng.standard_normal(shape)
    arms = []
    for shift in (0.0, gain):
        shared = rng.standard_normal((count, len(sizes)))[:, names]
        own = rng.standard_normal(shape)
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
