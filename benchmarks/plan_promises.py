"""Does a plan keep its promise? Every kind of score, with repetitions, clusters and guardrails.

    python benchmarks/plan_promises.py [--experiments 4000]

Each cell draws single runs of both arms, measures on a past of its own what `plan` measures, asks
for the tasks that reach 80 %, and applies the whole rule (verdict_rule) to new experiments of that
size. The share of deploys has to be within five points of the chance that the plan gave.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import verdict_rule
import verdict_worlds as worlds

from loader.planning.design import Component, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

POWER, TOLERANCE = 0.8, 0.05
CLUSTER, RUNS = 5, 3
GAINS = {"0/1": 0.06, "1 to 5": 0.05, "continuous": 0.05}
_PAST = (600, 200)
_RATIO_VARIANCE = 0.18
_GUARDS = [
    Component(
        metric=name, margin=worlds.RATIO_MARGIN, between=0.0, within=_RATIO_VARIANCE, is_ratio=True
    )
    for name in ("cost_usd", "latency_ms")
]


class Cell(NamedTuple):
    """What an evaluation is like."""

    kind: str
    runs: int
    is_clustered: bool
    is_guarded: bool

    def __str__(self) -> str:
        """Return it as a row of a table begins."""
        parts = (f"{self.runs} runs" if self.runs > 1 else "1 run",
                 "clusters of 5" if self.is_clustered else "each task alone",
                 "guardrails" if self.is_guarded else "no guardrail")  # fmt: skip
        return " | ".join((self.kind, *parts))


class Kept(NamedTuple):
    """What was planned, and what came of it."""

    cell: Cell
    tasks: int
    promised: float
    deployed: float

    def is_met(self) -> bool:
        """Say whether it is within five points."""
        return abs(self.deployed - self.promised) <= TOLERANCE


def cells() -> Iterator[Cell]:
    """Yield every kind of evaluation."""
    for kind, runs, is_clustered, is_guarded in product(
        GAINS, (1, RUNS), (False, True), (False, True)
    ):
        yield Cell(kind, runs, is_clustered, is_guarded)


def keep(cell: Cell, count: int) -> Kept:
    """Plan one cell and simulate it.

    Args:
        cell: which.
        count: experiments.
    """
    rng = np.random.default_rng(zlib.crc32(str(cell).encode()))
    gain, component = _measured(rng, cell)
    world = World(component, _GUARDS if cell.is_guarded else ())
    tasks = world.tasks(gain, POWER, cell.runs)
    if tasks is None:
        raise ValueError(f"{cell}: no number of tasks is enough")
    base, other = _arms(rng, cell, (count, tasks), cell.runs)
    metrics = [
        verdict_rule.Metric(
            "deciding", (other - base).mean(axis=0), clusters=_clusters(cell, tasks),
            is_binary=cell.kind == "0/1" and cell.runs == 1,
        )
    ]  # fmt: skip
    if cell.is_guarded:
        deviation = (_RATIO_VARIANCE / cell.runs) ** 0.5
        metrics += [
            verdict_rule.Metric(
                "guardrail", deviation * rng.standard_normal((count, tasks)), worlds.RATIO_MARGIN,
                is_share=False, weight=0.15, clusters=_clusters(cell, tasks),
            )
            for _ in _GUARDS
        ]  # fmt: skip
    deployed = float(verdict_rule.judge(metrics).deploy.mean())
    return Kept(cell, tasks, world.chance(gain, tasks, cell.runs), deployed)


def _measured(rng: np.random.Generator, cell: Cell) -> tuple[float, Component]:
    """Return the mean gain and the variance components of a past, as the warehouse has them."""
    base, other = _arms(rng, cell, _PAST, 2)
    within = float(base.var(axis=0, ddof=1).mean() + other.var(axis=0, ddof=1).mean())
    gains = (other - base)[0]
    # of a mean: what a cluster shares counts once a cluster
    size = CLUSTER if cell.is_clustered else 1
    whole = float(size * gains.reshape(_PAST[0], -1, size).mean(axis=2).var())
    component = Component(
        metric="score", margin=0.05, between=max(0.0, whole - within), within=within,
        tasks_per_cluster=CLUSTER if cell.is_clustered else 1,
        is_binary=cell.kind == "0/1",
    )  # fmt: skip
    return float((other - base).mean()), component


def _clusters(cell: Cell, tasks: int) -> NDArray[np.int64] | None:
    return np.arange(tasks) // CLUSTER if cell.is_clustered else None


def _arms(
    rng: np.random.Generator, cell: Cell, shape: tuple[int, int], runs: int
) -> tuple[Floats, Floats]:
    """Draw single runs of both arms: an array of runs, experiments and tasks each."""
    count, tasks = shape
    shift = 0.06 * rng.standard_normal(shape)
    if cell.is_clustered:
        names = np.arange(tasks) // CLUSTER
        shift += 0.08 * rng.standard_normal((count, names.max() + 1))[:, names]
    shift += GAINS[cell.kind]
    size = (runs, *shape)
    if cell.kind == "0/1":
        chance = np.clip(rng.beta(1.4, 0.6, shape), 0.1, 0.75)
        better = np.clip(chance + shift, 0, 1)
        return (rng.random(size) < chance) * 1.0, (rng.random(size) < better) * 1.0
    level = 0.6 + 0.15 * rng.standard_normal(shape)
    arms = [one + 0.12 * rng.standard_normal(size) for one in (level, level + shift)]
    if cell.kind == "1 to 5":
        arms = [np.clip(np.rint(4 * one), 0, 4) / 4 for one in arms]
    return arms[0], arms[1]


def main() -> None:
    """Print the table; fail where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=4_000)
    count = parser.parse_args().experiments
    print("| score | runs | tasks come | guardrails | tasks | promised | deployed |")
    print("|---|---|---|---|---|---|---|")
    missed = 0
    for cell in cells():
        kept = keep(cell, count)
        missed += not kept.is_met()
        print(f"| {cell} | {kept.tasks} | {kept.promised:.3f} | {kept.deployed:.3f} |", flush=True)
    sys.exit(f"{missed} promises are not kept" if missed else 0)


if __name__ == "__main__":
    main()
