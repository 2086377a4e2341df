"""What tests of recorders share: an arm, a run, a database that hangs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loader.warehouse import locks
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

ARM = {"experiment_id": "exp-1", "experiment_group": "code-chef", "extension_version": "1.2.3"}
RUN: dict[str, Any] = {
    "model_version": "qwen-coder-32b",
    "agent_name": "feature_dev",
    "scores": {"accuracy": 0.92, "completeness": 1},
    "latency_ms": 1850.5,
    "tokens_used": 2450,
    "cost_usd": 0.00172,
    "success": True,
    "metadata": {"category": "edit"},
}
NOWHERE = "host=/nonexistent dbname=evals"


def tasks(url: str) -> list[str]:
    """Return the tasks of everything in raw."""
    with connect(url) as connection:
        rows = connection.execute("select task_id from raw_evals.evaluation_runs").fetchall()
    return sorted(str(task_id) for (task_id,) in rows)


@contextmanager
def blocked(url: str) -> Iterator[None]:
    """Keep every load waiting, as a database that hangs would."""
    with connect(url) as connection:
        locks.try_draw(connection)
        yield
        connection.rollback()
