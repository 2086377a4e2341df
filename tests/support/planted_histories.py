"""Planted histories: agents of many versions, in which it is known what changed and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

METRICS = ("accuracy", "completeness", "efficiency", "integration_quality")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
QUIET_AGENTS, QUIET_VERSIONS, QUIET_TASKS = 20, 50, 25
# each with four metrics, so twelve series of a kind
PLANTED_AGENTS, CHANGE_AT = 3, 10


def plant(rng: random.Random) -> Iterator[dict[str, Any]]:
    for agent in range(QUIET_AGENTS):
        yield from history(
            rng,
            f"quiet-{agent:02}",
            QUIET_VERSIONS,
            QUIET_TASKS,
            METRICS,
            draw=passes if agent % 2 else scatters,
        )
    for agent in range(PLANTED_AGENTS):
        for kind, draw in (("noise", scatters), ("binary", passes)):
            yield from history(
                rng, f"fell-{kind}-{agent}", 15, 300, METRICS, fall, noise=0.15, draw=draw
            )
            yield from history(
                rng, f"slid-{kind}-{agent}", 17, 300, METRICS, slide, noise=0.15, draw=draw
            )
    accuracy = ("accuracy",)
    yield from history(
        rng, "dropped", 30, 300, accuracy, lambda version: -0.05 * (version >= 15), noise=0.1
    )
    yield from history(
        rng, "drifting", 24, 300, accuracy, lambda version: -0.01 * max(0, version - 9), noise=0.1
    )
    yield from history(
        rng, "dented", 30, 100, accuracy, lambda version: -0.2 * (12 <= version < 18)
    )
    # easier tasks join the suite while every old task gets a little worse
    yield from history(
        rng, "growing", 8, 40, accuracy, lambda version: -0.02 * (version >= 5), noise=0.01
    )
    for version in range(5, 8):
        yield from (
            record("growing", version, f"easy-{task}", {"accuracy": 0.99}) for task in range(40)
        )
    # two suites that have three tasks in common
    for version, tasks in enumerate((range(20), range(17, 37))):
        yield from (
            record("moved", version, f"t{task}", {"accuracy": 0.1 + 0.02 * task}) for task in tasks
        )
    yield from slow_down()
    for version in range(12):
        fails = version in {6, 7, 8}
        yield from (
            record(
                "down",
                version,
                f"t{task}",
                {"accuracy": None if fails else float(task % 2)},
                success=not fails and task % 2 == 1,
            )
            for task in range(30)
        )


def slow_down() -> Iterator[dict[str, Any]]:
    """Give versions that two experiments ran, one of them twice; the last is slower.

    Most tasks, and not all, are: three get faster.
    """
    for version in range(4):
        for experiment, repetitions in (("a", 2), ("b", 1)):
            for task in range(20):
                change = 0.0 if version < 3 else -20.0 if task < 3 else 300.0 + 7 * task
                for repetition in range(repetitions):
                    yield record("slowed", version, f"t{task}", {"accuracy": 1.0}) | {
                        "experiment_id": f"slowed/{version}/{experiment}",
                        "source_run_id": f"{version}-{experiment}-{task}-{repetition}",
                        "repetition": repetition + 1,
                        "latency_ms": 1000.0 + 10 * task + change
                        + 3 * repetition + 5 * (experiment == "b") + (version + 1) * task % 5,
                    }  # fmt: skip


def fall(version: int) -> float:
    return -0.05 * (version >= CHANGE_AT)


def slide(version: int) -> float:
    return -0.01 * max(0, version - CHANGE_AT + 1)


def scatters(rng: random.Random) -> Callable[[float, float], float]:
    """Give a task of a difficulty of its own, whose score scatters from version to version."""
    ease = rng.gauss(0.7, 0.1)
    return lambda level, noise: min(1.0, max(0.0, round(ease + level + rng.gauss(0, noise), 4)))


def passes(rng: random.Random) -> Callable[[float, float], float]:
    """Give a task that passes or fails, and mostly does the same in every version."""
    chance = rng.betavariate(0.2, 0.05)
    return lambda level, _noise: float(rng.random() < chance * (1 + level / 0.8))


def history(  # noqa: PLR0913, PLR0917  what a history is made of
    rng: random.Random,
    agent: str,
    versions: int,
    tasks: int,
    metrics: Sequence[str],
    level: Callable[[int], float] = lambda _version: 0.0,
    noise: float = 0.15,
    draw: Callable[[random.Random], Callable[[float, float], float]] = scatters,
) -> Iterator[dict[str, Any]]:
    drawn = [[draw(rng) for _ in range(tasks)] for _ in metrics]
    for version in range(versions):
        for task in range(tasks):
            yield record(
                agent,
                version,
                f"t{task}",
                {
                    metric: own[task](level(version), noise)
                    for metric, own in zip(metrics, drawn, strict=True)
                },
            )


def record(
    agent: str, version: int, task: str, scores: dict[str, Any], *, success: bool = True
) -> dict[str, Any]:
    return {
        "experiment_id": f"{agent}/{version}",
        "task_id": task,
        "experiment_group": "code-chef",
        "extension_version": f"1.{version}.0",
        "agent_name": agent,
        "model_version": "m",
        "recorded_at": BEGIN + timedelta(days=version),
        "scores": scores,
        "success": success,
    }
