"""What `record` costs who calls it, against encoding the same record as JSON in the same run.

    python benchmarks/recorder.py [--records 20000]

Records into a private embedded server from one thread, from eight at once and from 200 tasks of
asyncio, and encodes the same records with msgspec between the calls. Prints the median call as a
multiple of the median encoding; fails where that is above the ceiling.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from measures import report
from private_warehouse import warehouse

from loader import AsyncRecorder, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS: Final = 8
TASKS: Final = 200
MOST_ENCODINGS: Final = 40.0
_ARM: Final[dict[str, Any]] = {
    "experiment_group": "code-chef",
    "extension_version": "1.2.3",
}
_RUN: Final[dict[str, Any]] = {
    "model_version": "qwen-coder-32b",
    "agent_name": "feature_dev",
    "scores": {"accuracy": 0.92, "completeness": 1},
    "latency_ms": 1850.5,
    "tokens_used": 2450,
    "cost_usd": 0.00172,
    "success": True,
    "metadata": {"category": "edit"},
}
_encode = msgspec.json.Encoder().encode


class Costs(NamedTuple):
    """Nanoseconds of every call, and of encoding the record that it was given."""

    calls: list[int]
    encodings: list[int]

    def ratio(self) -> float:
        """Return the median call in median encodings."""
        return statistics.median(self.calls) / statistics.median(self.encodings)


def encode(costs: Costs, task: str) -> None:
    """Encode a whole record, as it is written to the disk."""
    run = {**_ARM, **_RUN, "experiment_id": "exp-1", "task_id": task,
           "recorded_at": datetime.now(UTC)}  # fmt: skip
    began = time.perf_counter_ns()
    _encode(run)
    costs.encodings.append(time.perf_counter_ns() - began)


def work(recorder: Recorder, costs: Costs, place: int, count: int) -> None:
    """Record and encode in turn."""
    for number in range(count):
        task = f"t-{place}-{number}"
        began = time.perf_counter_ns()
        recorder.record(task_id=task, **_RUN)
        costs.calls.append(time.perf_counter_ns() - began)
        encode(costs, task)


def from_threads(url: str, count: int, threads: int) -> Costs:
    """Record from so many threads at once."""
    found = [Costs([], []) for _ in range(threads)]
    with Recorder(
        **_ARM, experiment_id=f"{threads}-threads", database_url=url, queue_records=2 * count
    ) as recorder:
        workers = [
            threading.Thread(target=work, args=(recorder, costs, place, count // threads))
            for place, costs in enumerate(found)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return Costs(
        list(itertools.chain.from_iterable(costs.calls for costs in found)),
        list(itertools.chain.from_iterable(costs.encodings for costs in found)),
    )


def from_tasks(url: str, count: int) -> Costs:
    """Record from many tasks of one loop."""
    costs = Costs([], [])

    async def one(recorder: AsyncRecorder, place: int) -> None:
        for number in range(count // TASKS):
            task = f"t-{place}-{number}"
            began = time.perf_counter_ns()
            await recorder.record(task_id=task, **_RUN)
            costs.calls.append(time.perf_counter_ns() - began)
            encode(costs, task)
            await asyncio.sleep(0)

    async def main() -> None:
        async with AsyncRecorder(
            **_ARM, experiment_id="tasks", database_url=url, queue_records=2 * count
        ) as recorder:
            await asyncio.gather(*(one(recorder, place) for place in range(TASKS)))

    asyncio.run(main())
    return costs


def main() -> int:
    """Return 1 when a ceiling is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000)
    count = parser.parse_args().records
    ways: dict[str, Callable[[str], Costs]] = {
        "one thread": lambda url: from_threads(url, count, 1),
        f"{THREADS} threads": lambda url: from_threads(url, count, THREADS),
        f"{TASKS} tasks": lambda url: from_tasks(url, count),
    }
    held = []
    with warehouse() as run:
        for name, way in ways.items():
            costs = way(run.url)
            print(f"{name}: {statistics.median(costs.calls) / 1000:.1f} microseconds a call")
            held.append(report(f"record() from {name}, encodings", costs.ratio(), MOST_ENCODINGS))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
