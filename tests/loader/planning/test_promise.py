"""A plan keeps its promise: the whole rule, simulated, deploys as often as it says."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loader.planning.design import Component, World

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import plan_promises
import verdict_rule
import verdict_worlds as worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from verdict_rule import Metric

pytestmark = pytest.mark.slow
_COUNT = 3_000
_RATIO = worlds.RATIO_MARGIN


def _held(world: World, gain: float, runs: int, draw: Callable[..., list[Metric]]) -> None:
    """Draw experiments of the planned size; the rule has to deploy as often as planned."""
    for power in (0.6, 0.8, 0.9):
        tasks = world.tasks(gain, power, runs)
        assert tasks is not None
        rng = np.random.default_rng(7)
        found = verdict_rule.judge(draw(rng, (_COUNT, tasks)))
        assert found.deploy.mean() == pytest.approx(world.chance(gain, tasks, runs), abs=0.05)
        assert world.chance(gain, tasks, runs) >= power


def _ratios(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> list[Metric]:
    """Latency and cost that move together."""
    shared, *own = rng.standard_normal((3, *shape))
    return [
        verdict_rule.Metric(
            "guardrail",
            math.sqrt(0.18) * (math.sqrt(rho) * shared + math.sqrt(1 - rho) * one),
            _RATIO, is_share=False, weight=0.15,
        )
        for one in own
    ]  # fmt: skip


_GUARDS = [
    Component(metric=name, margin=_RATIO, between=0.0, within=0.18, is_ratio=True)
    for name in ("cost_usd", "latency_ms")
]


@pytest.mark.parametrize(("share", "gain"), [(0.1, 0.08), (0.16, 0.05), (0.25, 0.08), (0.4, 0.2)])
@pytest.mark.parametrize("guarded", [False, True])
def test_of_a_score_of_0_or_1(share: float, gain: float, *, guarded: bool) -> None:
    deciding = Component(
        metric="accuracy", margin=0.05, between=share - gain**2, within=0.0, is_binary=True
    )
    world = World(deciding, _GUARDS if guarded else ())

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> list[Metric]:
        beside = _ratios(rng, shape, 0.0) if guarded else []
        return [worlds.discordant(rng, shape, share, gain), *beside]

    _held(world, gain, 1, draw)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_of_a_continuous_score_with_guardrails_that_bind(rho: float) -> None:
    deciding = Component(metric="accuracy", margin=0.05, between=0.01, within=0.0)
    correlations = {("cost_usd", "latency_ms"): rho} if rho else {}
    world = World(deciding, _GUARDS, correlations)

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> list[Metric]:
        return [
            worlds.continuous(rng, shape, 0.08, 0.1, "deciding"), *_ratios(rng, shape, rho)
        ]  # fmt: skip

    _held(world, 0.08, 1, draw)


def test_of_a_judge_from_1_to_5() -> None:
    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> list[Metric]:
        judged = worlds.judge(rng, shape)
        # a fifth of the tasks one level better
        judged.gains += 0.25 * (rng.random(shape) < 0.2)
        return [judged]

    gains = draw(np.random.default_rng(1), (200, 2_000))[0].gains
    world = World(
        Component(metric="quality", margin=0.05, between=float(gains.var()), within=0.0)
    )  # fmt: skip
    _held(world, 0.05, 1, draw)


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_of_repetitions(runs: int) -> None:
    between, within, gain = 0.01, 0.06, 0.05
    guard = Component(metric="tone", margin=0.05, between=0.0, within=0.08)
    world = World(
        Component(metric="accuracy", margin=0.05, between=between, within=within), [guard]
    )

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> list[Metric]:
        noise = rng.standard_normal((runs, *shape)).mean(axis=0)
        score = gain + math.sqrt(between) * rng.standard_normal(shape) + math.sqrt(within) * noise
        tone = math.sqrt(0.08) * rng.standard_normal((runs, *shape)).mean(axis=0)
        return [
            verdict_rule.Metric("deciding", score),
            verdict_rule.Metric("guardrail", tone, weight=0.1),
        ]

    _held(world, gain, runs, draw)


@pytest.mark.parametrize("runs", [1, 3])
def test_of_runs_that_score_0_or_1(runs: int) -> None:
    gain = 0.06

    def draw(rng: np.random.Generator, shape: tuple[int, int], each: int = runs) -> list[Metric]:
        # some runs of the candidate turn; what that varies by is part of the noise
        metric = worlds.repeated(rng, shape, each, 0.5)
        turned = rng.binomial(each, gain, shape) / each
        metric.gains = np.clip(metric.gains + turned, -1, 1)
        return [metric]

    probe = np.random.default_rng(1)
    one, many = (draw(probe, (200, 2_000), each)[0].gains for each in (1, 1_000))
    between = float(many.var())
    deciding = Component(
        metric="accuracy", margin=0.05, between=between, within=float(one.var()) - between,
        is_binary=True,
    )  # fmt: skip
    mean = draw(probe, (200, 2_000))[0].gains.mean()
    _held(World(deciding), float(mean), runs, draw)


def test_of_clusters() -> None:
    size, shared, own, gain = 5, 0.006, 0.01, 0.06
    # of a mean: shared counts once a cluster
    world = World(
        Component(
            metric="accuracy", margin=0.05, between=own + size * shared, within=0.0,
            tasks_per_cluster=size,
        )
    )  # fmt: skip

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> list[Metric]:
        count, tasks = shape
        names = np.arange(tasks) // size
        together = rng.standard_normal((count, names.max() + 1))[:, names]
        gains = gain + math.sqrt(shared) * together + math.sqrt(own) * rng.standard_normal(shape)
        return [verdict_rule.Metric("deciding", gains, clusters=names)]

    _held(world, gain, 1, draw)


@pytest.mark.parametrize("cell", list(plan_promises.cells()), ids=str)
def test_every_kind_of_evaluation_is_as_planned(cell: plan_promises.Cell) -> None:
    kept = plan_promises.keep(cell, 2_000)
    assert kept.promised >= 0.8
    assert kept.is_met(), kept


def test_every_cell_of_the_guide_is_simulated_and_within_five_points() -> None:
    guide = Path(__file__).resolve().parents[3] / "docs" / "plan-an-evaluation.md"
    rows = [
        line.strip("| ").split(" | ")
        for line in guide.read_text(encoding="utf-8").splitlines()
        if line.startswith(("| 0/1 |", "| 1 to 5 |", "| continuous |"))
    ]
    assert [" | ".join(row[:4]) for row in rows] == [str(cell) for cell in plan_promises.cells()]
    for *_, promised, deployed in rows:
        assert abs(float(promised) - float(deployed)) <= plan_promises.TOLERANCE
