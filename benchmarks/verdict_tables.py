"""How often the rule is wrong, and how often it is right: simulated tables with their floors.

Every line is a rate beside what it may be; the seeds are this file's own.
"""

from __future__ import annotations

import math
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import verdict_worlds as worlds
from verdict_rule import LEVEL, Metric, Verdicts, judge, paired_t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Rng = np.random.Generator
    Shape = tuple[int, int]
    World = Callable[[Rng, Shape], list[Metric]]
    Flags = NDArray[np.bool_]

MAXIMUM_CELL, MAXIMUM_POOLED = 0.031, 0.026
SIZES = (20, 50, 100, 300, 1000)
VALUES_AT_ONCE = 1_000_000


class Line(NamedTuple):
    """A measurement, and what it has to be."""

    name: str
    value: float
    bound: float | None = None
    is_floor: bool = False

    def is_met(self) -> bool:
        """Say whether the bound holds; without one it does."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.is_floor else self.value <= self.bound


def generator(name: str, attempt: int = 0) -> Rng:
    """Seed by a name, so that a cell does not depend on the cells before it."""
    return np.random.default_rng([zlib.crc32(name.encode()), attempt, 2025])


def simulate(  # noqa: PLR0913, PLR0917  what a cell is
    name: str,
    world: World,
    n: int,
    count: int,
    attempt: int = 0,
    minimum_coverage: float = 0.95,
) -> list[Verdicts]:
    """Judge `count` experiments, a part at a time."""
    rng, size = generator(f"{name} {n}", attempt), max(1, VALUES_AT_ONCE // n)
    parts = [size] * (count // size) + ([count % size] if count % size else [])
    return [judge(world(rng, (part, n)), minimum_coverage=minimum_coverage) for part in parts]


def share(found: list[Verdicts], flag: str) -> float:
    """Give the share of experiments of which a flag holds."""
    return float(np.concatenate([getattr(one, flag) for one in found]).mean())


# --------------------------------------------------------------------------- nothing changed


class Cell(NamedTuple):
    """Experiments in which nothing changed."""

    group: str
    name: str
    world: World
    sizes: tuple[int, ...] = SIZES
    minimum_coverage: float = 0.95


def _alone(draw: Callable[..., Metric], *arguments: float) -> World:
    """Let one metric decide, and nothing else be measured."""
    return lambda rng, shape: [draw(rng, shape, *arguments)]


def _unchanged() -> Iterator[Cell]:
    for p in (0.05, 0.1, 0.3, 0.5, 0.9, 0.98):
        yield Cell("0/1", f"0/1, p {p}, coin", _alone(worlds.coin, p))
        yield Cell("0/1", f"0/1, p {p}, decided", _alone(worlds.decided, p))
    for p in (0.3, 0.7):
        name = f"p {p}, 4 % of failing tasks unscored"
        yield Cell("missing", name, _alone(worlds.unscored, 1, p, 0.04))
    for part in (0.1, 0.2, 0.4):
        for word, least in (("checked", 0.95), ("ignored", 0.0)):
            name = f"5 runs, {part:.0%} of failing runs unscored, coverage {word}"
            world = _alone(worlds.unscored, 5, 0.7, part)
            yield Cell("missing", name, world, minimum_coverage=least)
    for word, sizes in worlds.CLUSTERS.items():
        for icc in (0.0, 0.6):
            name = f"clusters {word}, icc {icc}"
            yield Cell("clusters", name, _clustered(sizes, icc), (sum(sizes),))
    for name, world in _MIXED.items():
        yield Cell("mixed", name, world)


def _clustered(sizes: list[int], icc: float) -> World:
    return lambda rng, shape: [worlds.clustered(rng, shape[0], sizes, icc)]


def _plain(rng: Rng, shape: Shape) -> Metric:
    return worlds.coin(rng, shape, 0.7)


def _four_scores(rng: Rng, shape: Shape) -> list[Metric]:
    deciding = worlds.continuous(rng, shape, role="deciding")
    guards = [worlds.continuous(rng, shape) for _ in range(3)]
    ratios = [worlds.ratio(rng, shape, sd) for sd in (0.3, 0.3, 0.4)]
    return [deciding, *guards, *ratios, worlds.success(rng, shape)]


def _tripwires(rng: Rng, shape: Shape) -> list[Metric]:
    wires = [worlds.discordant(rng, shape, 0.16, 0, "tripwire") for _ in range(3)]
    return [_plain(rng, shape), worlds.ratio(rng, shape, 0.3), *wires]


def _judges(rng: Rng, shape: Shape) -> list[Metric]:
    guards = [worlds.discordant(rng, shape, 0.16, 0, "guardrail") for _ in range(4)]
    return [_plain(rng, shape), *guards]


_MIXED: dict[str, World] = {
    "a judge from 1 to 5": _alone(worlds.judge),
    "0/1, latency .4, cost .6": lambda rng, shape: [
        _plain(rng, shape),
        worlds.ratio(rng, shape, 0.4),
        worlds.ratio(rng, shape, 0.6, weight=0),
    ],
    "0/1, latency of t3 tails": lambda rng, shape: [
        _plain(rng, shape),
        worlds.heavy_ratio(rng, shape, "t3"),
    ],
    "0/1, latency and cost of Pareto tails": lambda rng, shape: [
        _plain(rng, shape),
        *(worlds.heavy_ratio(rng, shape, "pareto") for _ in range(2)),
    ],
    "4 scores, latency, tokens, cost, success": _four_scores,
    "5 judges of 0/1": _judges,
    "0/1, 3 correlated guardrails, success": lambda rng, shape: [
        _plain(rng, shape),
        *worlds.correlated(rng, shape, 3, 0.5),
        worlds.success(rng, shape),
    ],
    "undeclared, latency, 3 tripwires": _tripwires,
    "5 repetitions": _alone(worlds.repeated, 5, 0.0),
    "5 repetitions, tasks gain and lose": _alone(worlds.repeated, 5, 1.0),
    "5 repetitions, p .98": _alone(worlds.repeated, 5, 0.0, 0.98),
}


def nothing_changed(count: int) -> Iterator[Line]:
    """Say how often nothing is called a gain or a loss.

    A cell above its bound is drawn again five times as large with another seed, so that one unlucky
    draw of some four hundred is not taken for an error; the second draw is what counts.
    """
    pooled: dict[str, list[tuple[float, float]]] = {}
    for cell in _unchanged():
        for n in cell.sizes:
            rates = _rates(cell, n, count)
            pooled.setdefault(cell.group, []).append(rates)
            for word, rate in zip(("deploys", "rejects"), rates, strict=True):
                label = f"nothing changed: {cell.name}, n {n}: {word}"
                yield Line(label, rate, MAXIMUM_CELL)
    for group, rated in pooled.items():
        for place, word in enumerate(("deploys", "rejects")):
            rate = float(np.mean([one[place] for one in rated]))
            label = f"nothing changed: {group}, {len(rated)} cells pooled: {word}"
            yield Line(label, rate, MAXIMUM_POOLED)


def _rates(cell: Cell, n: int, count: int) -> tuple[float, float]:
    for attempt, size in ((0, count), (1, 5 * count)):
        found = simulate(
            cell.name, cell.world, n, size, attempt, minimum_coverage=cell.minimum_coverage
        )
        rates = share(found, "deploy"), share(found, "reject")
        if max(rates) <= MAXIMUM_CELL:
            break
    return rates


# ----------------------------------------------------------------------- gains, harm, trade-offs


def power(count: int) -> Iterator[Line]:
    """Hold the power to deploy against a paired t-test of the deciding metric."""
    for part, gain in ((0.1, 0.05), (0.1, 0.08), (0.16, 0.08), (0.16, 0.12), (0.25, 0.12)):
        for n in (50, 100, 300, 1000):
            rng = generator(f"power {part} {gain} {n}")
            deciding = worlds.discordant(rng, (count, n), part, gain)
            t_test = float((paired_t(deciding.gains) <= LEVEL).mean())
            guards = [worlds.ratio(rng, (count, n), 0.3)]
            scores = [worlds.continuous(rng, (count, n)) for _ in range(3)]
            more = [*guards, worlds.ratio(rng, (count, n), 0.4), worlds.success(rng, (count, n))]
            wires = [worlds.discordant(rng, (count, n), 0.16, 0, "tripwire") for _ in range(2)]
            noise = 2 * math.sqrt(0.25 / count) / 2
            for name, beside, margin in (
                ("alone", [], 0.03),
                ("with latency", guards, 0.03),
                ("with 5 metrics and success", [*more, *scores], 0.03),
                # each tripwire may stop a deploy by chance, at 2.5 % for all of them together
                ("with latency and 2 tripwires", [*guards, *wires], 0.03 + LEVEL),
            ):
                rate = share([judge([deciding, *beside])], "deploy")
                floor = t_test - margin - noise if n >= 100 else None
                label = f"power: {part} differ, +{gain}, n {n}, {name} (t-test {t_test:.3f})"
                yield Line(label, rate, floor, is_floor=True)


def harm(count: int) -> Iterator[Line]:
    """Hold the power to reject against a t-test, and ask that harm does not deploy."""
    for part, loss in ((0.16, 0.08), (0.16, 0.12), (0.25, 0.12)):
        for n in (50, 100, 300, 1000):
            rng = generator(f"harm {part} {loss} {n}")
            deciding = worlds.discordant(rng, (count, n), part, -loss)
            t_test = float((paired_t(-deciding.gains) <= LEVEL).mean())
            beside = [worlds.continuous(rng, (count, n)) for _ in range(3)]
            beside += [worlds.ratio(rng, (count, n), sd) for sd in (0.3, 0.4)]
            for name, metrics in (
                ("alone", [deciding]),
                ("with 5 metrics", [deciding, *beside]),
            ):
                found = [judge(metrics)]
                label = f"harm: {part} differ, -{loss}, n {n}, {name} (t-test {t_test:.3f})"
                floor = t_test - 0.04 if n >= 100 else None
                yield Line(f"{label}: rejects", share(found, "reject"), floor, is_floor=True)
                yield Line(f"{label}: deploys", share(found, "deploy"), 0.005)
    yield from _guarded(count)


def _guarded(count: int) -> Iterator[Line]:
    """Harm a guardrail or success, the deciding metric unchanged or 12 points better."""
    harmed: dict[str, Callable[[Rng, Shape], Metric]] = {
        "a score -8": lambda r, s: worlds.continuous(r, s, -0.08),
        "a 0/1 score -15": lambda r, s: worlds.discordant(r, s, 0.2, -0.15, "guardrail"),
        "latency +30 %": lambda r, s: worlds.ratio(r, s, 0.3, -math.log(1.3)),
        "latency x 2": lambda r, s: worlds.ratio(r, s, 0.3, -math.log(2)),
        "success -20": lambda r, s: worlds.success(r, s, 0.95, 0.2),
    }
    for name, draw in harmed.items():
        for n in (50, 100, 300):
            for gain in (0.0, 0.12):
                rng = generator(f"guarded {name} {n} {gain}")
                deciding = worlds.discordant(rng, (count, n), 0.16, gain)
                found = [judge([deciding, draw(rng, (count, n))])]
                label = f"harm: {name}, deciding metric {gain:+.2f}, n {n}"
                bound = 0.05 if n >= 100 else None
                yield Line(f"{label}: deploys", share(found, "deploy"), bound)
                yield Line(f"{label}: rejects", share(found, "reject"))
                yield Line(f"{label}: trade-off", share(found, "trade_off"))


def trade_offs(count: int) -> Iterator[Line]:
    """Deploy what saves and keeps; never what collapses."""
    for part in (0.1, 0.16, 0.25):
        for n in (50, 100, 300, 1000):
            rng = generator(f"saving {part} {n}")
            metrics = [
                worlds.discordant(rng, (count, n), part, 0),
                worlds.ratio(rng, (count, n), 0.3),
                worlds.ratio(rng, (count, n), 0.4, -math.log(0.7), weight=0),
            ]
            floor = {100: 0.1, 300: 0.35, 1000: 0.8}.get(n)
            label = f"saving: cost x .7, quality flat, {part} differ, n {n}: deploys"
            yield Line(label, share([judge(metrics)], "deploy"), floor, is_floor=True)
    for loss, times in ((0.05, 0.5), (0.08, 0.5)):
        for n in (100, 300, 1000, 3000):
            found = simulate(f"bought {loss}", _bought(loss, times), n, count)
            worse = np.concatenate([one.deciding.p("worse") <= LEVEL for one in found])
            deploys = np.concatenate([one.deploy for one in found])
            label = f"trade-off: accuracy -{loss}, latency and cost x {times}, n {n}"
            yield Line(f"{label}: deploys", float(deploys.mean()), 0.03)
            yield Line(f"{label}: deploys what is proven worse", float((deploys & worse).sum()), 0)
    for n in (50, 100, 300, 1000, 3000):
        found = simulate("collapse", _bought(0.2, 0.3), n, max(count, 10_000))
        deployed = float(np.concatenate([one.deploy for one in found]).sum())
        bound = 0.0 if n >= 100 else None
        yield Line(f"collapse: accuracy -.20, cost x .3, n {n}: deploys of 10,000", deployed, bound)


def _bought(loss: float, times: float) -> World:
    def draw(r: Rng, s: Shape) -> list[Metric]:
        ratios = [worlds.ratio(r, s, sd, -math.log(times)) for sd in (0.3, 0.4)]
        return [worlds.discordant(r, s, 0.25, -loss), *ratios]

    return draw


def monotonicity(count: int) -> Iterator[Line]:
    """Ask that more tasks never lower the chance to deploy a true gain."""
    sizes = (20, 30, 50, 80, 120, 200, 300, 500, 1000, 2000)
    for gain in (0.03, 0.08, 0.15):
        rates = [
            share(simulate(f"more tasks {gain}", _guarded_gain(gain), n, count), "deploy")
            for n in sizes
        ]
        falls = [one - other for one, other in pairwise(rates)]
        noise = 3 * math.sqrt(0.5 / count)
        label = f"more tasks: +{gain}, n {sizes[0]} to {sizes[-1]}: largest fall of deploys"
        yield Line(label, max(falls), noise)
        yield Line(f"more tasks: +{gain}, n {sizes[-1]}: deploys", rates[-1])


def _guarded_gain(gain: float) -> World:
    def draw(r: Rng, s: Shape) -> list[Metric]:
        guards = [worlds.continuous(r, s), worlds.ratio(r, s, 0.3)]
        return [worlds.discordant(r, s, 0.2, gain), *guards, worlds.success(r, s)]

    return draw
