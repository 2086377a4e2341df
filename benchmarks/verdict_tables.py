"""How often the rule is wrong, and how often it is right: simulated tables with their floors.

Every line is a rate beside what it may be; the seeds are this file's own.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import verdict_worlds as worlds
from scipy import special
from verdict_rule import LEVEL, Metric, Verdicts, holm, judge, mid_p, paired_t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Rng = np.random.Generator
    World = Callable[[Rng, int, int], list[Metric]]
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


def simulate(
    name: str, world: World, n: int, count: int, attempt: int = 0, **options: float
) -> list[Verdicts]:
    """Judge `count` experiments, a part at a time."""
    rng, size = generator(f"{name} {n}", attempt), max(1, VALUES_AT_ONCE // n)
    parts = [size] * (count // size) + ([count % size] if count % size else [])
    return [judge(world(rng, part, n), **options) for part in parts]  # type: ignore[arg-type]


def share(found: list[Verdicts], flag: str) -> float:
    """Give the share of experiments of which a flag holds."""
    return float(np.concatenate([getattr(one, flag) for one in found]).mean())


# --------------------------------------------------------------------------- nothing changed


def _unchanged() -> dict[str, tuple[World, dict[str, float]]]:
    cells: dict[str, tuple[World, dict[str, float]]] = {}
    for p in (0.05, 0.1, 0.3, 0.5, 0.9, 0.98):
        cells[f"0/1, p {p}, coin"] = (lambda r, c, n, p=p: [worlds.coin(r, c, n, p)]), {}
        cells[f"0/1, p {p}, decided"] = (lambda r, c, n, p=p: [worlds.decided(r, c, n, p)]), {}

    def plain(r: Rng, c: int, n: int) -> list[Metric]:
        return [worlds.coin(r, c, n, 0.7)]

    def four(r: Rng, c: int, n: int) -> list[Metric]:
        deciding = worlds.continuous(r, c, n, role="deciding")
        guards = [worlds.continuous(r, c, n) for _ in range(3)]
        ratios = [worlds.ratio(r, c, n, sd) for sd in (0.3, 0.3, 0.4)]
        return [deciding, *guards, *ratios, worlds.success(r, c, n)]

    def tripwires(r: Rng, c: int, n: int) -> list[Metric]:
        wires = [worlds.discordant(r, c, n, 0.16, 0, "tripwire") for _ in range(3)]
        return [*plain(r, c, n), worlds.ratio(r, c, n, 0.3), *wires]

    more: dict[str, World] = {
        "a judge from 1 to 5": lambda r, c, n: [worlds.judge(r, c, n)],
        "0/1, latency .4, cost .6": lambda r, c, n: [
            *plain(r, c, n), worlds.ratio(r, c, n, 0.4), worlds.ratio(r, c, n, 0.6, weight=0),
        ],
        "0/1, latency of t3 tails": lambda r, c, n: [
            *plain(r, c, n), worlds.heavy_ratio(r, c, n, "t3"),
        ],
        "0/1, latency and cost of Pareto tails": lambda r, c, n: [
            *plain(r, c, n), *(worlds.heavy_ratio(r, c, n, "pareto") for _ in range(2)),
        ],
        "4 scores, latency, tokens, cost, success": four,
        "5 judges of 0/1": lambda r, c, n: [
            *plain(r, c, n), *(worlds.discordant(r, c, n, 0.16, 0, "guardrail") for _ in range(4)),
        ],
        "0/1, 3 correlated guardrails, success": lambda r, c, n: [
            *plain(r, c, n), *worlds.correlated(r, c, n, 3, 0.5), worlds.success(r, c, n),
        ],
        "undeclared, latency, 3 tripwires": tripwires,
        "5 repetitions": lambda r, c, n: [worlds.repeated(r, c, n, 5, 0)[0]],
        "5 repetitions, tasks gain and lose": lambda r, c, n: [worlds.repeated(r, c, n, 5, 1.0)[0]],
        "5 repetitions, p .98": lambda r, c, n: [worlds.repeated(r, c, n, 5, 0, 0.98)[0]],
    }  # fmt: skip
    cells |= {name: (world, {}) for name, world in more.items()}
    for p in (0.3, 0.7):
        cells[f"p {p}, 4 % of failing tasks unscored"] = (
            lambda r, c, n, p=p: [worlds.unscored(r, c, n, 1, p, 0.04)]
        ), {}
    for part in (0.1, 0.2, 0.4):
        for name, least in (("checked", 0.95), ("ignored", 0.0)):
            cells[f"5 runs, {part:.0%} of failing runs unscored, coverage {name}"] = (
                lambda r, c, n, part=part: [worlds.unscored(r, c, n, 5, 0.7, part)]
            ), {"minimum_coverage": least}
    for name, sizes in worlds.CLUSTERS.items():
        for icc in (0.0, 0.6):
            cells[f"clusters {name}, icc {icc}"] = (
                lambda r, c, _, sizes=sizes, icc=icc: [worlds.clustered(r, c, sizes, icc)]
            ), {}
    return cells


def nothing_changed(count: int) -> Iterator[Line]:
    """Say how often nothing is called a gain or a loss.

    A cell above its bound is drawn again five times as large with another seed, so that one unlucky
    draw of some four hundred is not taken for an error; the second draw is what counts.
    """
    for group, is_in in (
        ("0/1", lambda name: name.startswith("0/1, p")),
        ("missing not at random", lambda name: "unscored" in name),
        ("clusters", lambda name: name.startswith("clusters")),
        ("others", lambda name: True),
    ):
        pooled: list[tuple[float, float]] = []
        for name, (world, options) in list(_CELLS.items()):
            if not is_in(name):
                continue
            world, options = _CELLS.pop(name)
            for n in (0,) if group == "clusters" else SIZES:
                cell = f"{name}, n {n}" if n else name
                rates = _rates(name, world, n or 300, count, options)
                pooled.append(rates)
                for word, rate in zip(("deploys", "rejects"), rates, strict=True):
                    yield Line(f"nothing changed: {cell}: {word}", rate, MAXIMUM_CELL)
        for place, word in enumerate(("deploys", "rejects")):
            rate = float(np.mean([one[place] for one in pooled]))
            yield Line(f"nothing changed: {group}, pooled: {word}", rate, MAXIMUM_POOLED)


_CELLS = _unchanged()


def _rates(
    name: str, world: World, n: int, count: int, options: dict[str, float]
) -> tuple[float, float]:
    found = simulate(name, world, n, count, **options)
    rates = share(found, "deploy"), share(found, "reject")
    if max(rates) > MAXIMUM_CELL:
        again = simulate(name, world, n, 5 * count, 1, **options)
        rates = share(again, "deploy"), share(again, "reject")
    return rates


# ----------------------------------------------------------------------- gains, harm, trade-offs


def power(count: int) -> Iterator[Line]:
    """Hold the power to deploy against a paired t-test of the deciding metric."""
    for part, gain in ((0.1, 0.05), (0.1, 0.08), (0.16, 0.08), (0.16, 0.12), (0.25, 0.12)):
        for n in (50, 100, 300, 1000):
            rng = generator(f"power {part} {gain} {n}")
            deciding = worlds.discordant(rng, count, n, part, gain)
            t_test = float((paired_t(deciding.gains) <= LEVEL).mean())
            guards = [worlds.ratio(rng, count, n, 0.3)]
            scores = [worlds.continuous(rng, count, n) for _ in range(3)]
            more = [*guards, worlds.ratio(rng, count, n, 0.4), worlds.success(rng, count, n)]
            wires = [worlds.discordant(rng, count, n, 0.16, 0, "tripwire") for _ in range(2)]
            noise = 2 * math.sqrt(0.25 / count) / 2
            for name, beside, margin in (
                ("alone", [], 0.03),
                ("with latency", guards, 0.03),
                ("with 5 metrics and success", [*more, *scores], 0.03),
                ("with latency and 2 tripwires", [*guards, *wires], 0.03),
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
            deciding = worlds.discordant(rng, count, n, part, -loss)
            t_test = float((paired_t(-deciding.gains) <= LEVEL).mean())
            beside = [worlds.continuous(rng, count, n) for _ in range(3)]
            beside += [worlds.ratio(rng, count, n, sd) for sd in (0.3, 0.4)]
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
    """Harm on a guardrail or success, the deciding metric unchanged or 12 points better."""
    harmed: dict[str, Callable[[Rng, int, int], Metric]] = {
        "a score -8": lambda r, c, n: worlds.continuous(r, c, n, -0.08),
        "a 0/1 score -15": lambda r, c, n: worlds.discordant(r, c, n, 0.2, -0.15, "guardrail"),
        "latency +30 %": lambda r, c, n: worlds.ratio(r, c, n, 0.3, -math.log(1.3)),
        "latency x 2": lambda r, c, n: worlds.ratio(r, c, n, 0.3, -math.log(2)),
        "success -20": lambda r, c, n: worlds.success(r, c, n, 0.95, 0.2),
    }
    for name, draw in harmed.items():
        for n in (50, 100, 300):
            for gain in (0.0, 0.12):
                rng = generator(f"guarded {name} {n} {gain}")
                deciding = worlds.discordant(rng, count, n, 0.16, gain)
                found = [judge([deciding, draw(rng, count, n)])]
                label = f"harm: {name}, deciding metric {gain:+.2f}, n {n}"
                bound = 0.05 if n >= 100 else 0.1
                yield Line(f"{label}: deploys", share(found, "deploy"), bound)
                yield Line(f"{label}: rejects", share(found, "reject"))
                yield Line(f"{label}: trade-off", share(found, "trade_off"))


def trade_offs(count: int) -> Iterator[Line]:
    """Deploy what saves and keeps; never what collapses."""
    for part in (0.1, 0.16, 0.25):
        for n in (50, 100, 300, 1000):
            rng = generator(f"saving {part} {n}")
            metrics = [
                worlds.discordant(rng, count, n, part, 0),
                worlds.ratio(rng, count, n, 0.3),
                worlds.ratio(rng, count, n, 0.4, -math.log(0.7), weight=0),
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
    def draw(r: Rng, c: int, n: int) -> list[Metric]:
        ratios = [worlds.ratio(r, c, n, sd, -math.log(times)) for sd in (0.3, 0.4)]
        return [worlds.discordant(r, c, n, 0.25, -loss), *ratios]

    return draw


def monotonicity(count: int) -> Iterator[Line]:
    """Ask that more tasks never lower the chance to deploy a true gain."""
    sizes = (20, 30, 50, 80, 120, 200, 300, 500, 1000, 2000)
    for gain in (0.03, 0.08, 0.15):
        rates = [
            share(simulate(f"more tasks {gain}", _guarded_gain(gain), n, count), "deploy")
            for n in sizes
        ]
        falls = [one - other for one, other in zip(rates, rates[1:], strict=False)]
        noise = 3 * math.sqrt(0.5 / count)
        label = f"more tasks: +{gain}, n {sizes[0]} to {sizes[-1]}: largest fall of deploys"
        yield Line(label, max(falls), noise)
        yield Line(f"more tasks: +{gain}, n {sizes[-1]}: deploys", rates[-1])


def _guarded_gain(gain: float) -> World:
    def draw(r: Rng, c: int, n: int) -> list[Metric]:
        guards = [worlds.continuous(r, c, n), worlds.ratio(r, c, n, 0.3)]
        return [worlds.discordant(r, c, n, 0.2, gain), *guards, worlds.success(r, c, n)]

    return draw


# -------------------------------------------------------------- these tasks, candidates, looking


def these_tasks(count: int) -> Iterator[Line]:
    """`inference: these_tasks`: the same tasks again, with new runs, have no other means.

    The mean over the tasks at hand is 0 in every experiment although single tasks gain and lose;
    the whole rule is applied with the error of the runs.
    """
    for n, runs in ((20, 2), (20, 5), (50, 2), (50, 3), (80, 5), (300, 2)):
        for gain in (0.0, 0.05):
            rng = generator(f"these tasks {n} {runs} {gain}")
            level = rng.beta(1.4, 0.6, (count, n))
            moved = 0.15 * rng.standard_normal((count, n))
            moved -= moved.mean(axis=1, keepdims=True)
            base = np.clip(level, 0.2, 0.8) - 0.1 * (gain > 0)
            other = np.clip(base + np.clip(moved, -0.15, 0.15), 0, 1)
            other -= (other - base).mean(axis=1, keepdims=True) - gain
            passes = [rng.binomial(runs, np.clip(arm, 0, 1)) / runs for arm in (base, other)]
            variances = [arm * (1 - arm) / (runs - 1) for arm in passes]
            deciding = Metric("deciding", passes[1] - passes[0], is_binary=False)
            total = sum(variances).sum(axis=1)  # type: ignore[union-attr]
            squares = sum((one**2).sum(axis=1) for one in variances) / (runs - 1)
            freedom = total**2 / np.maximum(squares, 1e-300)
            deviate = deciding.gains.mean(axis=1) / (np.sqrt(total) / n)
            found = _of_these_tasks(deciding, deviate, np.sqrt(total) / n, freedom)
            label = f"these tasks: n {n}, {runs} runs, gain {gain}"
            bound = MAXIMUM_CELL if gain == 0 else None
            yield Line(f"{label}: deploys", float(found[0].mean()), bound)
            yield Line(f"{label}: rejects", float(found[1].mean()), bound)
            whole = share([judge([deciding])], "deploy")
            yield Line(f"{label}: deploys by tasks like these", whole)


def _of_these_tasks(
    deciding: Metric,
    deviate: NDArray[np.float64],
    error: NDArray[np.float64],
    freedom: NDArray[np.float64],
) -> tuple[Flags, Flags]:
    deciding.measure()
    recorded = deciding.tests[0]
    recorded.better = special.stdtr(freedom, -deviate)
    recorded.worse = special.stdtr(freedom, deviate)
    recorded.lost = special.stdtr(freedom, -deviate - deciding.margin / error)
    deploys = recorded.better <= LEVEL
    return deploys, deciding.is_harmed(recorded.worse, LEVEL)


def candidates(count: int) -> Iterator[Line]:
    """Several candidates of one baseline: each alone, or adjusted by Holm."""
    for n in (50, 100, 300):
        for k in (2, 5, 10):
            rng = generator(f"candidates {n} {k}")
            chance = rng.beta(1.4, 0.6, (count, n))
            base = rng.random((count, n)) < chance
            p_values = []
            for _ in range(k):
                gains = (rng.random((count, n)) < chance) * 1.0 - base
                wins, losses = (gains > 0).sum(axis=1), (gains < 0).sum(axis=1)
                p_values.append(mid_p(wins, losses))
            alone = (np.min(p_values, axis=0) <= LEVEL).mean()
            adjusted = (np.min(holm(p_values), axis=0) <= LEVEL).mean()
            yield Line(f"candidates: {k}, n {n}: any deploy, each alone", float(alone))
            label = f"candidates: {k}, n {n}: any deploy, Holm"
            yield Line(label, float(adjusted), MAXIMUM_CELL)


def looking(count: int) -> Iterator[Line]:
    """The whole rule after every 10 tasks, 20 to 500: some look deploys or rejects."""
    for name, gain, size in (("nothing changed", 0.0, 500), ("+.08", 0.08, 500)):
        for world, few in (("alone", True), ("with 4 guardrails and success", False)):
            rng = generator(f"looking {name} {world}")
            metrics = [worlds.discordant(rng, count, size, 0.25, gain)]
            if not few:
                metrics += [worlds.continuous(rng, count, size) for _ in range(2)]
                metrics += [worlds.ratio(rng, count, size, sd) for sd in (0.3, 0.4)]
                metrics += [worlds.success(rng, count, size)]
            for peeking in (True, False):
                deploys, rejects = np.zeros(count, bool), np.zeros(count, bool)
                for n in range(20, size + 1, 10):
                    seen = [_first_tasks(one, n) for one in metrics]
                    found = judge(seen, peeking=peeking)
                    deploys |= found.deploy
                    rejects |= found.reject
                word = "bounds for looking" if peeking else "bounds for one look"
                bound = LEVEL if peeking and gain == 0 else None
                label = f"looking: {name}, {world}, {word}"
                yield Line(f"{label}: deploys", float(deploys.mean()), bound)
                yield Line(f"{label}: rejects", float(rejects.mean()), bound)


def _first_tasks(metric: Metric, n: int) -> Metric:
    return Metric(
        metric.role, metric.gains[:, :n], metric.margin, is_binary=metric.is_binary,
        is_share=metric.is_share, weight=metric.weight,
    )  # fmt: skip


def floors(count: int) -> Iterator[Line]:
    """A bar for the candidate's mean: blocked when proven below it, passed when proven above.

    By Student's interval of the mean over tasks, as for the other scores, or by Wilson's for 0/1.
    """
    for bar in (0.5, 0.7, 0.9, 0.98):
        for n in (20, 50, 100, 300):
            rng = generator(f"floors {bar} {n}")
            share_solved = (rng.random((count, n)) < bar).mean(axis=1)
            z = special.ndtri(1 - LEVEL)
            centre = (share_solved + z**2 / 2 / n) / (1 + z**2 / n)
            half = z / (1 + z**2 / n)
            half *= np.sqrt(share_solved * (1 - share_solved) / n + z**2 / 4 / n**2)
            exact_low = special.betaincinv(
                np.maximum(share_solved * n, 1e-300), n - share_solved * n + 1, LEVEL
            )
            exact_high = special.betaincinv(
                share_solved * n + 1, np.maximum(n - share_solved * n, 1e-300), 1 - LEVEL
            )
            label = f"floors: mean on the bar {bar}, n {n}"
            yield Line(f"{label}: Wilson passes", float((centre - half >= bar).mean()))
            yield Line(f"{label}: Wilson blocks", float((centre + half < bar).mean()))
            passes, blocks = (exact_low >= bar).mean(), (exact_high < bar).mean()
            yield Line(f"{label}: exact passes", float(passes), MAXIMUM_CELL)
            yield Line(f"{label}: exact blocks", float(blocks), MAXIMUM_CELL)
