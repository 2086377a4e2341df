"""The chance that the rule of the verdict deploys a gain, by tasks and repetitions.

The rule's first route: the deciding metric is better at alpha / 2 and every guardrail is kept
at `kept_level`. What a guardrail is shown to be is taken as unchanged. The second route and the
vetoes move the chance by less than the promise allows (tests/loader/planning simulates the whole
rule).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from functools import cache
from operator import le
from typing import TYPE_CHECKING, Final

from .distributions import NORMAL, t_power
from .paired_proportions import better_power, kept_power

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_TASKS: Final = 1_000_000
_DRAWS: Final = 4_000
_CERTAIN: Final = 0.9995
_HOPELESS: Final = 0.05
_FEWEST_CLUSTERS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """How one metric varies, on the scale of its margin.

    Attributes:
        metric: its name.
        margin: how much worse is kept; of a ratio a logarithm.
        between: variance of what tasks differ in, that no repetition averages out;
            with clusters times what these add to the variance of a mean.
        within: variance of one run in each arm of a task; None: not known.
        tasks_per_cluster: tasks by effective cluster; 1: each its own.
        is_binary: runs score 0 or 1.
        is_ratio: a latency, tokens, a cost, as logarithms.
        is_history: measured, not a default.
    """

    metric: str
    margin: float
    between: float
    within: float | None = None
    tasks_per_cluster: float = 1.0
    is_binary: bool = False
    is_ratio: bool = False
    is_history: bool = True

    def variance(self, repetitions: int) -> float:
        """Return the variance of the difference of one task."""
        return self.between + (self.within or 0.0) / repetitions

    def is_counted(self, repetitions: int) -> bool:
        """Whether the rule counts wins and losses."""
        return self.is_binary and repetitions == 1 and self.tasks_per_cluster <= 1

    def better(self, gain: float, tasks: int, repetitions: int, level: float) -> float:
        """Return the chance that a true gain is shown as one."""
        variance = self.variance(repetitions)
        if self.is_counted(repetitions):
            return better_power(tasks, min(1.0, variance + gain * gain), gain, level)
        return self._shown(gain, tasks, variance, level)

    def kept(self, tasks: int, repetitions: int, level: float) -> float:
        """Return the chance that the margin of what is unchanged is shown as kept."""
        variance = self.variance(repetitions)
        if self.is_counted(repetitions):
            return kept_power(tasks, min(1.0, variance), 0.0, self.margin, level)
        return self._shown(self.margin, tasks, variance, level)

    def better_on_these(self, gain: float, tasks: int, repetitions: int, level: float) -> float:
        """Return the chance that a gain is shown of these tasks, by what their runs differ in."""
        variance = (self.within or 0.0) / repetitions
        return self._shown(gain, tasks, variance, level, 2 * tasks * (repetitions - 1))

    def kept_on_these(self, tasks: int, repetitions: int, level: float) -> float:
        """Return the same of a margin."""
        return self.better_on_these(self.margin, tasks, repetitions, level)

    def _shown(
        self, gain: float, tasks: int, variance: float, level: float, freedom: float | None = None
    ) -> float:
        clusters = tasks / self.tasks_per_cluster
        if freedom is None:
            if clusters < _FEWEST_CLUSTERS:
                return 0.0
            freedom = clusters - 1
        if variance <= 0:
            # all tasks differ alike: the rule's p
            share = 0.5 if self.is_ratio or gain != self.margin else 1 - self.margin
            return float(share**clusters <= level)
        return t_power(gain / math.sqrt(variance / tasks), level, freedom)


@dataclass(frozen=True, slots=True)
class World:
    """What is assumed of an evaluation.

    Attributes:
        deciding: the metric of the gain.
        guardrails: what has to be kept.
        correlations: of two metrics' differences of a task, by their names in order; else 0.
        alpha: two-sided level of the deciding metric.
        kept_level: of the guardrails.
        minimum_tasks: fewer decide nothing.
    """

    deciding: Component
    guardrails: Sequence[Component] = ()
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)
    alpha: float = 0.05
    kept_level: float = 0.2
    minimum_tasks: int = 10

    def chance(self, gain: float, tasks: int, repetitions: int = 1) -> float:
        """Return the chance that the rule deploys a true gain.

        Args:
            gain: on the scale of the deciding metric, above 0.
            tasks: paired.
            repetitions: runs of each in either arm.
        """
        if tasks < self.minimum_tasks:
            return 0.0
        level = self.alpha / 2
        return self._joint(
            [
                self.deciding.better(gain, tasks, repetitions, level),
                *(one.kept(tasks, repetitions, self.kept_level) for one in self.guardrails),
            ]
        )

    def chance_on_these(self, gain: float, tasks: int, repetitions: int) -> float:
        """Return the same by the policy `inference: these_tasks`; 0 with one run a task."""
        if tasks < self.minimum_tasks or repetitions < 2:  # noqa: PLR2004  nothing to tell noise by
            return 0.0
        level = self.alpha / 2
        return self._joint(
            [
                self.deciding.better_on_these(gain, tasks, repetitions, level),
                *(
                    one.kept_on_these(tasks, repetitions, self.kept_level)
                    for one in self.guardrails
                ),
            ]
        )

    def tasks(self, gain: float, power: float, repetitions: int = 1) -> int | None:
        """Return the fewest tasks that reach a power; None where a million do not."""
        low, high = 0, self.minimum_tasks
        while self.chance(gain, high, repetitions) < power:
            low, high = high, high * 2
            if high > MOST_TASKS:
                return None
        while high - low > max(1, low // 500):
            middle = (low + high) // 2
            if self.chance(gain, middle, repetitions) >= power:
                high = middle
            else:
                low = middle
        return high

    def gain(self, power: float, tasks: int, repetitions: int = 1) -> float | None:
        """Return the least gain that so many tasks show with a power; None: none does."""
        low, high = 0.0, 1.0
        if self.chance(high, tasks, repetitions) < power:
            return None
        for _ in range(14):
            middle = (low + high) / 2
            if self.chance(middle, tasks, repetitions) >= power:
                high = middle
            else:
                low = middle
        return high

    def _joint(self, chances: Sequence[float]) -> float:
        """Return the chance that all hold, by normals with the metrics' correlations."""
        product = math.prod(chances)
        binding = [place for place, chance in enumerate(chances) if chance < _CERTAIN]
        # nothing binds together, or far below what is asked
        if len(binding) <= 1 or product < _HOPELESS or not self.correlations:
            return product
        names = (self.deciding.metric, *(one.metric for one in self.guardrails))
        columns = _columns(names, tuple(sorted(self.correlations.items())))
        bounds = [NORMAL.inv_cdf(chances[place]) for place in binding]
        held = sum(
            all(map(le, draw, bounds))
            for draw in zip(*(columns[place] for place in binding), strict=True)
        )
        return held / _DRAWS


@cache
def _columns(
    names: tuple[str, ...], correlations: tuple[tuple[tuple[str, str], float], ...]
) -> list[list[float]]:
    """Return draws of each metric, correlated."""
    factor = _factor(names, dict(correlations))
    draws = _draws(len(names))
    return [
        [sum(weight * value for weight, value in zip(row, draw, strict=False)) for draw in draws]
        for row in factor
    ]


def _factor(
    names: Sequence[str], correlations: Mapping[tuple[str, str], float]
) -> list[list[float]]:
    """Return Cholesky's factor, correlations shrunk until there is one."""
    shrink = 1.0
    while True:
        rows: list[list[float]] = []
        for place, name in enumerate(names):
            row: list[float] = []
            for before, other in enumerate(names[:place]):
                known = sum(a * b for a, b in zip(row, rows[before], strict=False))
                value = shrink * correlations.get((min(name, other), max(name, other)), 0.0)
                row.append((value - known) / rows[before][before])
            rest = 1 - sum(value * value for value in row)
            if rest < 1e-9:  # noqa: PLR2004  no matrix of correlations, but for rounding
                break
            rows.append([*row, math.sqrt(rest)])
        if len(rows) == len(names):
            return rows
        shrink *= 0.95


@cache
def _draws(width: int) -> list[list[float]]:
    """Return standard normals, the same ones for every design, each with its opposite."""
    generator = random.Random(1)  # noqa: S311  for a simulation
    half = [[generator.gauss(0, 1) for _ in range(width)] for _ in range(_DRAWS // 2)]
    return half + [[-value for value in row] for row in half]
