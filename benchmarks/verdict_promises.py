"""Does the promised number of tasks decide, four times in five? Tables with their floors.

The estimates of an experiment are taken for the truth, as the promise does: the data at hand stay,
the new tasks are drawn from them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import verdict_worlds as worlds
from scipy import special
from verdict_rule import GAIN_LEVEL, KEPT_LEVEL, LEVEL, MINIMUM_GAIN, Metric, judge
from verdict_tables import Line, generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

POWER, LEAST_KEPT = 0.8, 0.7
Z, Z_KEPT = float(special.ndtri(1 - LEVEL)), float(special.ndtri(1 - KEPT_LEVEL))


class Target(NamedTuple):
    """A metric, and the bound that its mean has to pass, of the error at n tasks."""

    mean: Floats
    error: Floats
    bound: Callable[[Floats], Floats]


def required(targets: list[Target], tasks: int) -> Floats:
    """Give the number of tasks in all, NaN where none of the grid decides."""
    found = np.full(len(targets[0].mean), np.nan)
    step, n = 1, 0
    while n <= 100 * tasks:
        n = math.ceil(tasks * 1.03**step)
        step += 1
        if n > 100 * tasks or not np.isnan(found).any():
            break
        chance = np.ones(len(found))
        for one in targets:
            deviation = one.error * math.sqrt(tasks)
            with np.errstate(divide="ignore", invalid="ignore"):
                deviate = (one.mean - one.bound(deviation / math.sqrt(n))) * n
                deviate = deviate / (deviation * math.sqrt(n - tasks))
            chance *= special.ndtr(np.nan_to_num(deviate, nan=-np.inf))
        found = np.where(np.isnan(found) & (chance >= POWER), n, found)
    return found


def promises(count: int) -> Iterator[Line]:
    """Hold the promise for a gain, a loss, a saving, and of clustered tasks."""
    yield from _gains(count)
    yield from _losses(count)
    yield from _savings(count)
    yield from _clusters(count)


def _resampled(
    rng: np.random.Generator, metrics: list[Metric], place: int, total: int
) -> list[Metric]:
    """Keep an experiment's tasks and draw more of them from them, all metrics together."""
    n = metrics[0].gains.shape[1]
    drawn = np.concatenate([np.arange(n), rng.integers(0, n, total - n)])
    return [
        Metric(
            one.role, one.gains[place : place + 1, drawn], one.margin, is_binary=one.is_binary,
            is_share=one.is_share, weight=one.weight,
        )
        for one in metrics
    ]  # fmt: skip


def _outcome(
    rng: np.random.Generator, metrics: list[Metric], totals: Floats, flag: str, most: int
) -> tuple[float, float, int]:
    """Give how often the promise holds, the median of all tasks, and how many were asked."""
    places = np.flatnonzero(~np.isnan(totals))[:most]
    kept = [
        bool(getattr(judge(_resampled(rng, metrics, int(one), int(totals[one]))), flag)[0])
        for one in places
    ]
    return float(np.mean(kept)), float(np.median(totals[places])), len(places)


def _gains(count: int) -> Iterator[Line]:
    for part, gain, n in ((0.1, 0.03, 100), (0.16, 0.05, 100), (0.16, 0.08, 50), (0.25, 0.08, 100)):
        for guarded in (False, True):
            rng = generator(f"promise {part} {gain} {n} {guarded}")
            metrics = [worlds.discordant(rng, (count, n), part, gain)]
            if guarded:
                metrics += [worlds.ratio(rng, (count, n), 0.3), worlds.continuous(rng, (count, n))]
            found = judge(metrics)
            targets = [
                Target(*_estimate(metrics[0]), lambda error: Z * error),
                *(Target(*_estimate(one), _above(-one.margin, Z_KEPT)) for one in metrics[1:]),
            ]
            totals = required(targets, n)
            mean = metrics[0].tests[0].mean
            totals[found.deploy | found.reject | found.trade_off | (mean <= 0)] = np.nan
            held, median, asked = _outcome(rng, metrics, totals, "deploy", 500)
            beside = "2 guardrails" if guarded else "alone"
            label = f"promise: {part} differ, +{gain}, n {n}, {beside} (median {median:.0f})"
            yield Line(f"{label}: deploys, of {asked}", held, LEAST_KEPT, is_floor=True)


def _estimate(metric: Metric) -> tuple[Floats, Floats]:
    return metric.tests[0].mean, metric.tests[0].error


def _above(bound: float, deviate: float) -> Callable[[Floats], Floats]:
    return lambda error: bound + deviate * error


def _losses(count: int) -> Iterator[Line]:
    for part, loss, n in ((0.16, 0.08, 50), (0.25, 0.08, 100), (0.25, 0.12, 50)):
        rng = generator(f"promise of harm {part} {loss} {n}")
        metrics = [worlds.discordant(rng, (count, n), part, -loss)]
        found = judge(metrics)
        mean, error = _estimate(metrics[0])
        target = Target(-mean, error, lambda e: np.maximum(Z * e, 0.05 - Z_KEPT * e))
        totals = required([target], n)
        totals[found.deploy | found.reject | (mean >= -metrics[0].margin)] = np.nan
        held, median, asked = _outcome(rng, metrics, totals, "reject", 500)
        label = f"promise: {part} differ, -{loss}, n {n} (median {median:.0f}): rejects, of {asked}"
        yield Line(label, held, LEAST_KEPT, is_floor=True)


def _savings(count: int) -> Iterator[Line]:
    for part, n in ((0.1, 50), (0.1, 100), (0.2, 100)):
        rng = generator(f"promise of saving {part} {n}")
        metrics = [
            worlds.discordant(rng, (count, n), part, 0),
            worlds.ratio(rng, (count, n), 0.4, -math.log(0.7), weight=0),
        ]
        found = judge(metrics)
        z_gain, least = float(special.ndtri(1 - GAIN_LEVEL)), MINIMUM_GAIN * metrics[1].margin
        targets = [
            Target(*_estimate(metrics[0]), lambda e: np.maximum(-0.05 + Z * e, -Z * e)),
            Target(
                *_estimate(metrics[1]),
                lambda e, z=z_gain, least=least: np.maximum(z * e, least),  # type: ignore[misc]
            ),
        ]
        totals = required(targets, n)
        mean = metrics[0].tests[0].mean
        totals[found.deploy | found.reject | (abs(mean) > 0.01)] = np.nan
        held, median, asked = _outcome(rng, metrics, totals, "deploy", 500)
        label = f"promise: cost x .7, {part} differ, n {n} (median {median:.0f}): deploys"
        yield Line(f"{label}, of {asked}", held, LEAST_KEPT, is_floor=True)


def _clusters(count: int) -> Iterator[Line]:
    """Whole clusters are added, of the same sizes, drawn from those at hand."""
    for name, sizes in (
        ("20 x 5", [5] * 20),
        ("12 x 5", [5] * 12),
        ("1 x 20 + 20 x 4", [20] + [4] * 20),
    ):
        for icc in (0.0, 0.6):
            rng = generator(f"promise of clusters {name} {icc}")
            metric = worlds.clustered(rng, count, sizes, icc, gain=0.03)
            found = judge([metric])
            mean, error = _estimate(metric)
            tasks = sum(sizes)
            totals = required([Target(mean, error, lambda e: Z * e)], tasks)
            totals[found.deploy | found.reject | (mean <= 0)] = np.nan
            places = np.flatnonzero(~np.isnan(totals))[:500]
            kept = []
            own = np.repeat(np.arange(len(sizes)), sizes)
            for place in places:
                gains, names = _more_clusters(rng, metric.gains[place], own, int(totals[place]))
                more = Metric("deciding", gains[None, :], clusters=names)
                kept.append(bool(judge([more]).deploy[0]))
            groups = tasks**2 / sum(size**2 for size in sizes)
            label = f"promise: clusters {name} (effective {groups:.1f}), icc {icc}: deploys"
            bound = LEAST_KEPT if groups >= 10 else None
            yield Line(f"{label}, of {len(places)}", float(np.mean(kept)), bound, is_floor=True)


def _more_clusters(
    rng: np.random.Generator, gains: Floats, clusters: NDArray[np.int64], total: int
) -> tuple[Floats, NDArray[np.int64]]:
    values, names = [gains], [clusters]
    size, last = len(gains), int(clusters.max())
    while size < total:
        drawn = gains[clusters == rng.integers(last + 1)]
        values.append(drawn)
        names.append(np.full(len(drawn), int(names[-1].max()) + 1))
        size += len(drawn)
    return np.concatenate(values), np.concatenate(names)
