"""How many more tasks would decide, and for what: a search of a grid, in plain Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paired_readings import Settings
    from verdict_members import Judged

POWER = 0.8


class Term(NamedTuple):
    """A metric whose mean has to pass a bound that falls with the number of tasks."""

    mean: float
    stddev: float
    bound: Callable[[float], float]
    """Of the error of the mean at n tasks."""


class Review(NamedTuple):
    """A verdict, and what is in the way of another."""

    recommendation: str
    label: str | None
    codes: set[str]


def required(
    review: Review, deciding: Judged | None, guardrails: Sequence[Judged], settings: Settings
) -> tuple[int | None, str | None, str | None]:
    """Give tasks, what they are for, and where there is no number, why."""
    note = _obstacle(review, deciding, settings)
    if note or deciding is None:
        return None, None, note or "no_pairs"
    n = len(deciding.reading.usable)
    targets = {
        "deploy": _deploys(deciding, guardrails, settings),
        "reject": _rejects(deciding, settings),
        "not_worse": [] if review.label == "not_worse" else _kept(deciding, guardrails, settings),
    }
    for name, ways in targets.items():
        found = [_first(way, n, settings) for way in ways]
        known = [one for one in found if one is not None]
        if known:
            return min(known) - n, name, None
    return None, None, "no_number_decides"


def _obstacle(review: Review, deciding: Judged | None, settings: Settings) -> str | None:
    """Give what more tasks cannot remove."""
    if review.recommendation != "needs_review":
        return "decided"
    if deciding is None or not deciding.reading.usable:
        return "no_pairs"
    recorded = deciding.reading.recorded
    names = {pair.cluster_id or pair.task_id for pair in deciding.reading.usable}
    is_clustered = len(names) < len(deciding.reading.usable)
    obstacles = {
        "low_coverage": bool(review.codes & {"low_coverage", "incomparable_versions"}),
        "trade_off": review.label == "trade_off",
        "harm": bool(review.codes & {"success_harmed", "tripwire_harmed", "composite_worse"}),
        "no_error": "direction_unknown" not in review.codes and not deciding.reading.lower.error,
        "peeking": settings.peeking,
        "few_clusters": is_clustered and recorded.groups < 10 - 1e-9,
    }
    return next((name for name, holds in obstacles.items() if holds), None)


def _term(one: Judged, n: int, bound: Callable[[float], float]) -> Term | None:
    lower = one.reading.lower
    if lower.mean is None or lower.error is None:
        return None
    return Term(lower.mean, lower.error * math.sqrt(n), bound)


def _deploys(
    deciding: Judged, guardrails: Sequence[Judged], settings: Settings
) -> list[list[Term] | None]:
    n = len(deciding.reading.usable)
    z = float(-special.ndtri(settings.level))
    z_kept = float(-special.ndtri(settings.kept_level))
    ways: list[list[Term] | None] = []
    if (deciding.reading.lower.mean or 0) > 0:
        terms = [_term(deciding, n, lambda error: z * error)]
        terms += [_term(one, n, _above(-(one.reading.margin or 0), z_kept)) for one in guardrails]
        ways.append(_complete(terms))
    for gaining in guardrails:
        least = settings.minimum_gain * (gaining.reading.margin or math.inf)
        if (gaining.reading.lower.mean or 0) < least:
            continue
        z_gain = float(-special.ndtri(settings.gain_level / len(guardrails)))
        kept = _kept(deciding, [one for one in guardrails if one is not gaining], settings)[0]
        gain = _term(gaining, n, _gain(gaining.reading.margin or 0, z, z_gain, least))
        ways.append(None if kept is None or gain is None else [*kept, gain])
    return ways


def _kept(
    deciding: Judged, guardrails: Sequence[Judged], settings: Settings
) -> list[list[Term] | None]:
    n, z = len(deciding.reading.usable), float(-special.ndtri(settings.level))
    margin = deciding.reading.margin or 0
    terms = [_term(deciding, n, lambda error: max(-margin + z * error, -z * error))]
    terms += [_term(one, n, _above(-(one.reading.margin or 0), z)) for one in guardrails]
    return [_complete(terms)]


def _rejects(deciding: Judged, settings: Settings) -> list[list[Term] | None]:
    n, z = len(deciding.reading.usable), float(-special.ndtri(settings.level))
    z_kept = float(-special.ndtri(settings.kept_level))
    margin, lower = deciding.reading.margin, deciding.reading.lower
    if margin is None or lower.mean is None or lower.error is None or lower.mean >= -margin - 1e-12:
        return []
    stddev = lower.error * math.sqrt(n)
    return [[Term(-lower.mean, stddev, lambda e: max(z * e, margin - z_kept * e))]]


def _above(bound: float, deviate: float) -> Callable[[float], float]:
    return lambda error: bound + deviate * error


def _gain(margin: float, z: float, z_gain: float, least: float) -> Callable[[float], float]:
    return lambda error: max(z_gain * error, least, -margin + z * error)


def _complete(terms: list[Term | None]) -> list[Term] | None:
    known = [one for one in terms if one is not None]
    return known if len(known) == len(terms) else None


def _first(way: list[Term] | None, tasks: int, settings: Settings) -> int | None:
    """Search the first number of tasks at which all terms hold with power 0.8."""
    if way is None:
        return None
    for step in range(1, 1000):
        n = math.ceil(tasks * 1.03**step * (1 - 1e-12))
        if n > 100 * tasks:
            return None
        if n <= tasks:
            continue
        if math.prod(_chance(term, n, tasks) for term in way) >= POWER:
            return max(n, settings.minimum_tasks)
    return None


def _chance(term: Term, n: int, tasks: int) -> float:
    bound = term.bound(term.stddev / math.sqrt(n))
    if term.stddev == 0:
        return float(term.mean > bound)
    deviate = (term.mean - bound) * n / (term.stddev * math.sqrt(n - tasks))
    return float(special.ndtr(deviate))
