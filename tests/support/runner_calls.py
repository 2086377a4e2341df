"""What tests of the runner share: a run of some tasks through a target."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from chat_server import ChatServer, sums
from loader.runner.arms import Arm, Settings
from loader.runner.chat import ChatTarget
from loader.runner.session import run_missing
from loader.runner.tasks import read_tasks
from loader.tools.prices import Price
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loader.runner.outcome import Outcome
    from loader.runner.targets import Target

SETTINGS = Settings(experiment_id="exp-1", timeout_seconds=1.0, concurrency=8)
PRICE = Price(1000.0, 2000.0)


def right(outputs: Mapping[str, Any], reference_outputs: Mapping[str, Any]) -> dict[str, object]:
    """Say whether an answer is the one expected."""
    return {"key": "accuracy", "score": float(outputs["output"] == reference_outputs["output"])}


def model(server: ChatServer, name: str = "good", **options: object) -> ChatTarget:
    """Return a model of the stand-in endpoint."""
    return ChatTarget(server.url, name, first_wait=0.01, **options)  # type: ignore[arg-type]


def run(
    url: str,
    target: Target,
    tasks: Sequence[Mapping[str, Any]] = (),
    settings: Settings = SETTINGS,
    evaluators: Sequence[Callable[..., object]] = (right,),
) -> Outcome:
    """Run tasks through a target as the baseline."""
    arm = Arm(target, "baseline", "1.0.0")
    given = read_tasks(tasks or sums(5))
    return asyncio.run(run_missing([arm], given, evaluators, settings, database_url=url))


def rows(url: str, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of everything in raw."""
    with connect(url) as connection:
        return connection.execute(
            f"select {columns} from raw_evals.evaluation_runs "
            "order by task_id, repetition, run_version"
        ).fetchall()
