"""How often 0/1 scores of one run a task show what the rule asks: by counting, not by a normal.

The rule's own tests: McNemar's mid-p for better, Tango's score test for kept (macros/statistics).
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from .distributions import NORMAL, binomial_at_least, binomial_terms

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def _fewest_wins(discordant: int, level: float) -> int:
    """Return the least wins of so many tasks that differ with mid-p at or below a level."""
    tail, wins = 0.0, discordant
    while wins >= 0:
        here = math.exp(
            math.lgamma(discordant + 1) - math.lgamma(wins + 1)
            - math.lgamma(discordant - wins + 1) - discordant * math.log(2)
        )  # fmt: skip
        if tail + here / 2 > level:
            break
        tail += here
        wins -= 1
    return wins + 1


def p_lost(wins: int, losses: int, tasks: int, margin: float) -> float:
    """Return the p-value of Tango's score test that the margin was lost (Tango 1998)."""
    linear = -losses - wins + (2 * tasks - losses + wins) * margin
    constant = -wins * margin * (1 - margin)
    root = math.sqrt(max(0.0, linear * linear - 8 * tasks * constant))
    share = max(0.0, (root - linear) / (4 * tasks))
    error = math.sqrt(tasks * (2 * share + margin * (1 - margin)))
    return NORMAL.cdf((losses - wins - tasks * margin) / error)


def better_power(tasks: int, differing: float, gain: float, level: float) -> float:
    """Return how often mid-p of McNemar's test is at or below a level.

    Args:
        tasks: with one run in either arm.
        differing: the share of them whose score differs.
        gain: by how much more are won than lost; a share of all tasks.
        level: one-sided.
    """
    return _power(tasks, differing, gain, lambda discordant: _fewest_wins(discordant, level))


def kept_power(tasks: int, differing: float, gain: float, margin: float, level: float) -> float:
    """Return how often Tango's test shows at a level that a margin was not lost."""

    def fewest(discordant: int) -> int:
        low, high = 0, discordant + 1  # high is taken as enough: more than there are
        while low < high:
            middle = (low + high) // 2
            if p_lost(middle, discordant - middle, tasks, margin) <= level:
                high = middle
            else:
                low = middle + 1
        return low

    return _power(tasks, differing, gain, fewest)


def _power(tasks: int, differing: float, gain: float, fewest: Callable[[int], int]) -> float:
    share = min(1.0, max(differing, abs(gain)))
    to_win = (share + gain) / (2 * share) if share > 0 else 0.5
    total = 0.0
    for discordant, chance in binomial_terms(tasks, share):
        if chance < 1e-9:  # noqa: PLR2004  a million of them change nothing
            continue
        wins = fewest(discordant)
        if wins <= discordant:
            total += chance * binomial_at_least(wins, discordant, to_win)
    return min(1.0, total)
