"""The rule as teams use it: on these very tasks, of many candidates, looking often, with floors.

Tables with their floors, as in verdict_tables.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import verdict_worlds as worlds
from scipy import special
from verdict_rule import HARM_LEVEL, LEVEL, Metric, holm, judge, mid_p
from verdict_tables import MAXIMUM_CELL, Line, generator, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.floating[Any]]

STOP_TASKS, STOP_EVERY = 500, 10
_STOPS = {"nothing changed": 0.0, "+.05": 0.05, "+.1": 0.1, "-.05": -0.05, "-.1": -0.1}


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
    deviate: Floats,
    error: Floats,
    freedom: Floats,
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
    """Apply the whole rule after every 10 tasks, 20 to 500: some look deploys or rejects."""
    for name, gain, size in (("nothing changed", 0.0, 500), ("+.08", 0.08, 500)):
        for world, few in (("alone", True), ("with 4 guardrails and success", False)):
            rng = generator(f"looking {name} {world}")
            metrics = [worlds.discordant(rng, (count, size), 0.25, gain)]
            if not few:
                metrics += [worlds.continuous(rng, (count, size)) for _ in range(2)]
                metrics += [worlds.ratio(rng, (count, size), sd) for sd in (0.3, 0.4)]
                metrics += [worlds.success(rng, (count, size))]
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


def stopping(count: int) -> Iterator[Line]:
    """`run --stop-when-decided`: look after every 10 tasks, and stop when it is decided.

    It is when the deciding metric's bounds for looking are below 0, within the margin, or above 0
    while the whole rule deploys, guardrails kept. The verdict is that of the rule by bounds for
    looking, on the tasks that were run.
    """
    for (name, gain), few in product(_STOPS.items(), (True, False)):
        found = stopped(f"stopping {name} {few}", gain, count, is_guarded=not few)
        label = f"stopping: {name}, {'alone' if few else 'with 4 guardrails and success'}"
        yield Line(f"{label}: deploys", found.deploys, LEVEL if gain <= 0 else None)
        # a guardrail that is unchanged may be found harmed at alpha / 20 too
        bound = LEVEL + HARM_LEVEL if gain >= 0 else None
        yield Line(f"{label}: rejects", found.rejects, bound)
        yield Line(f"{label}: share of the tasks saved", found.saved)


class Stopped(NamedTuple):
    """Shares of the experiments, and the mean share of the planned tasks that were not run."""

    deploys: float
    rejects: float
    decided: float
    """That stopped before the end."""
    saved: float


def stopped(name: str, gain: float, count: int, *, is_guarded: bool) -> Stopped:
    """Simulate runs of at most `STOP_TASKS` tasks that stop when it is decided.

    Args:
        name: of the random numbers.
        gain: the truth, of a score with a standard deviation of 0.3 from task to task.
        count: experiments.
        is_guarded: with four guardrails and success beside it, unchanged.
    """
    rng = generator(name)
    shape = (count, STOP_TASKS)
    metrics = [worlds.continuous(rng, shape, gain, 0.3, "deciding")]
    if is_guarded:
        metrics += [worlds.continuous(rng, shape) for _ in range(2)]
        metrics += [worlds.ratio(rng, shape, sd) for sd in (0.3, 0.4)]
        metrics += [worlds.success(rng, shape)]
    runs_on = np.ones(count, bool)
    deploys, rejects = np.zeros(count, bool), np.zeros(count, bool)
    tasks = np.full(count, STOP_TASKS)
    for n in range(STOP_EVERY, STOP_TASKS + 1, STOP_EVERY):
        seen = [_first_tasks(one, n) for one in metrics]
        found = judge(seen, peeking=True)
        gained, mirrored = seen[0], Metric("deciding", -seen[0].gains)
        mirrored.measure(peeking=True)
        is_clear = (gained.p("better") <= LEVEL) & found.deploy | (gained.p("worse") <= LEVEL)
        is_clear |= gained.is_kept(LEVEL) & mirrored.is_kept(LEVEL)
        ends = runs_on & (is_clear | (n == STOP_TASKS))
        deploys |= ends & found.deploy
        rejects |= ends & found.reject
        tasks[ends] = n
        runs_on &= ~ends
    return Stopped(
        float(deploys.mean()), float(rejects.mean()), float((tasks < STOP_TASKS).mean()),
        float(1 - tasks.mean() / STOP_TASKS),
    )  # fmt: skip


def _first_tasks(metric: Metric, n: int) -> Metric:
    return Metric(
        metric.role, metric.gains[:, :n], metric.margin, is_binary=metric.is_binary,
        is_share=metric.is_share, weight=metric.weight,
    )  # fmt: skip


def floors(count: int) -> Iterator[Line]:
    """Hold the candidate's mean to a bar: blocked when proven below it, passed when proven above.

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
