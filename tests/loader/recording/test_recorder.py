"""The recorder: nothing lost, nothing doubled, nobody kept waiting."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import statistics
import threading
import time
from contextlib import contextmanager
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import loader
from loader import AsyncRecorder, Recorder
from loader.errors import ConfigurationError, InvalidRecord, WarehouseUnavailable
from loader.recording.spool import spool_directory, waiting
from loader.warehouse import locks
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.newest_server

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


@pytest.fixture(autouse=True)
def own_spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))


def tasks(url: str) -> list[str]:
    with connect(url) as connection:
        rows = connection.execute("select task_id from raw_evals.evaluation_runs").fetchall()
    return sorted(str(task_id) for (task_id,) in rows)


@contextmanager
def blocked(url: str) -> Iterator[None]:
    """Keep every load waiting, as a database that hangs would."""
    with connect(url) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.LOAD])
        yield
        connection.rollback()


def test_a_record_arrives_as_it_was_given(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        run_id = recorder.record(task_id="t-1", **RUN)
    with connect(database_url) as connection:
        row = connection.execute(
            "select source, source_run_id, experiment_id, scores, tokens_used, metadata, "
            "now() - recorded_at < interval '1 minute' from raw_evals.evaluation_runs"
        ).fetchone()
    assert row == (
        "recorder",
        run_id,
        "exp-1",
        {"accuracy": 0.92, "completeness": 1.0},
        2450,
        {"category": "edit"},
        True,
    )


def record_many(recorder: Recorder, name: str, durations: list[int]) -> None:
    for number in range(1250):
        started = time.perf_counter_ns()
        recorder.record(task_id=f"{name}-{number}", **RUN)
        durations.append(time.perf_counter_ns() - started)


def test_ten_thousand_records_from_eight_threads_arrive_once_and_cost_little(
    database_url: str,
) -> None:
    medians = []
    total = 0
    for attempt in range(3):  # the machine may be busy with something else
        durations: list[list[int]] = [[] for _ in range(8)]
        with Recorder(**ARM, database_url=database_url) as recorder:
            threads = [
                threading.Thread(target=record_many, args=(recorder, f"t-{attempt}-{place}", own))
                for place, own in enumerate(durations)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            recorder.flush()
            assert recorder.loaded_count == 10_000
        total += 10_000
        medians.append(statistics.median(itertools.chain(*durations)) / 1000)
        if medians[-1] < 30:
            break
    there = tasks(database_url)
    assert len(there) == len(set(there)) == total
    assert min(medians) < 30, f"{medians} microseconds"


def test_ten_thousand_records_from_two_hundred_tasks_arrive_once(database_url: str) -> None:
    durations: list[int] = []

    async def work(recorder: AsyncRecorder, place: int) -> None:
        for number in range(50):
            started = time.perf_counter_ns()
            await recorder.record(task_id=f"t-{place}-{number}", **RUN)
            durations.append(time.perf_counter_ns() - started)
            await asyncio.sleep(0)

    async def main() -> None:
        async with AsyncRecorder(**ARM, database_url=database_url) as recorder:
            await asyncio.gather(*(work(recorder, place) for place in range(200)))

    asyncio.run(main())
    there = tasks(database_url)
    assert len(there) == len(set(there)) == 10_000
    # the best half: the loop's thread shares its time with the delivery
    assert sorted(durations)[len(durations) // 4] / 1000 < 30


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "task_id"),
        ({"task_id": "t", "scores": {"accuracy": 1.2}}, "scores.accuracy"),
        ({"task_id": "t", "scores": {"accuracy": math.nan}}, "scores.accuracy"),
        ({"task_id": "t", "latency_ms": math.inf}, "latency_ms"),
        ({"task_id": "t", "metadata": {"x": [np.float32("nan")]}}, "metadata.x"),
        ({"task_id": "t", "cost_usd": "dear"}, "cost_usd"),
        ({"task_id": "t", "experiment_id": "other"}, "experiment_id"),
        ({"task_id": "t", "colour": "red"}, "colour"),
        ({"task_id": "t", "error_message": "a\0b"}, "error_message"),
        ({"task_id": "é" * 300}, "task_id"),
        ({"task_id": "é", "scores": {"accuracy": 1.2}}, "scores.accuracy"),
        ({"task_id": "é", "cost_usd": -1}, "cost_usd"),
        ({"task_id": "t", "repetition": 0}, "repetition"),
    ],
)
def test_a_bad_record_is_refused_at_once_and_named(fields: dict[str, Any], field: str) -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        with pytest.raises(InvalidRecord) as refused:
            recorder.record(**fields)
        assert refused.value.field == field
        assert recorder.spooled_count == 0
    assert waiting() == []


def test_numbers_of_numpy_and_decimals_are_numbers(database_url: str) -> None:
    given: list[dict[str, Any]] = [
        {"accuracy": np.float32(0.5), "tokens_used": np.int64(3)},
        {"scores": {"accuracy": np.array(0.5)}, "tokens_used": Decimal(3)},
        {"accuracy": Decimal("0.50"), "tokens_used": Decimal("3.0")},
        {"scores": MappingProxyType({"accuracy": 0.5}), "tokens_used": np.float64(3)},
    ]
    with Recorder(**ARM, database_url=database_url) as recorder:
        for fields in given:
            recorder.record(task_id="t", success=np.bool_(1), metadata={"x": Decimal(2)}, **fields)  # type: ignore[arg-type]
    with connect(database_url) as connection:
        rows = connection.execute(
            "select scores, tokens_used, success, metadata from raw_evals.evaluation_runs"
        ).fetchall()
    assert rows == [({"accuracy": 0.5}, 3, True, {"x": 2})] * 4


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"accuracy": np.array([0.5, 1.0])}, "accuracy"),
        ({"scores": {"accuracy": np.array([0.5])}}, "scores.accuracy"),
        ({"metadata": {"all": [np.zeros((2, 3))]}}, "metadata.all"),
        ({"metrics": {"latency_ms": np.array([1.0, 2.0])}}, "latency_ms"),
        ({"cost_usd": Decimal("NaN")}, "cost_usd"),
        ({"scores": {"accuracy": np.float64("nan")}}, "scores.accuracy"),
    ],
)
def test_arrays_and_what_is_no_number_are_refused_and_named(
    fields: dict[str, Any], field: str
) -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        with pytest.raises(InvalidRecord) as refused:
            recorder.record(task_id="t", **fields)
        assert refused.value.field == field
        assert recorder.spooled_count == 0


def test_the_old_trackers_call_is_taken_as_it_was(database_url: str) -> None:
    with Recorder(database_url=database_url) as recorder:
        recorder.record(
            **ARM,
            task_id="t",
            model_version="qwen-coder-32b-v2",
            agent_name="feature_dev",
            scores={"accuracy": 0.92, "completeness": None},
            metrics={"latency_ms": 1850.5, "tokens_used": 2450.0, "cost_usd": None, "retries": 2},
            error_message=None,
            metadata=None,  # type: ignore[arg-type]
        )
    with connect(database_url) as connection:
        row = connection.execute(
            "select latency_ms, tokens_used, cost_usd, measurements, scores, success "
            "from raw_evals.evaluation_runs"
        ).fetchone()
    scores = {"accuracy": 0.92, "completeness": None}
    assert row == (1850.5, 2450, None, {"retries": 2.0}, scores, None)


@pytest.mark.parametrize(
    ("metrics", "field"),
    [
        ([1850.5], "metrics"),
        ({"latency_ms": 3}, "metrics.latency_ms"),
        ({"retries": 3}, "metrics.retries"),
        ({"cost_usd": -1}, "cost_usd"),
        ({"accuracy": 0.5}, "measurements.accuracy"),
    ],
)
def test_metrics_that_contradict_or_are_none_are_refused(metrics: object, field: str) -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        with pytest.raises(InvalidRecord) as refused:
            recorder.record(
                task_id="t",
                latency_ms=2,
                measurements={"retries": 2},
                metrics=metrics,  # type: ignore[arg-type]
            )
        assert refused.value.field == field


def test_what_is_changed_after_recording_is_not_recorded(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        metadata = {"step": 1}
        recorder.record(task_id="t", metadata=metadata)
        metadata["step"] = 2
    with connect(database_url) as connection:
        row = connection.execute("select metadata from raw_evals.evaluation_runs").fetchone()
    assert row == ({"step": 1},)


def test_every_call_is_a_run_and_a_named_run_is_corrected(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        recorder.record(task_id="t", accuracy=0.1)
        recorder.record(task_id="t", accuracy=0.1)
        recorder.record(task_id="t", accuracy=0.2, source_run_id="mine")
        recorder.flush()
        recorder.record(task_id="t", accuracy=0.3, source_run_id="mine")
    with connect(database_url) as connection:
        rows = connection.execute(
            "select count(*), count(distinct source_run_id), max(run_version) "
            "from raw_evals.evaluation_runs"
        ).fetchall()
    assert rows == [(4, 3, 2)]


def test_records_are_delivered_without_being_asked(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url, flush_seconds=0.05) as recorder:
        recorder.record(task_id="t")
        deadline = time.monotonic() + 10
        while not tasks(database_url):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_database_that_hangs_keeps_nobody_waiting(database_url: str) -> None:
    with Recorder(
        **ARM, database_url=database_url, flush_records=10, queue_records=200, exit_seconds=0.2
    ) as recorder:
        with blocked(database_url):
            longest = 0.0
            for number in range(1000):
                started = time.perf_counter()
                recorder.record(task_id=f"t-{number}")
                longest = max(longest, time.perf_counter() - started)
            started = time.perf_counter()
            recorder.flush(timeout=0.2)
            assert time.perf_counter() - started < 2
            assert longest < 1
            assert recorder.spooled_count >= 800
            assert tasks(database_url) == []
        recorder.flush(timeout=20)
    # some were spooled while the database was busy with them, and arrived both ways
    with Recorder(**ARM, database_url=database_url) as recorder:
        recorder.record(task_id="last")
        recorder.flush(timeout=20)
    there = tasks(database_url)
    assert len(there) == len(set(there)) == 1001
    assert waiting() == []


def test_a_later_correction_is_never_overtaken_by_what_was_spooled(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url, flush_seconds=60) as recorder:
        with blocked(database_url):
            recorder.record(task_id="t", accuracy=0.1, source_run_id="mine")
            recorder.flush(timeout=0.1)
            recorder.record(task_id="t", accuracy=0.2, source_run_id="mine")
            recorder.flush(timeout=0.1)
            recorder.record(task_id="t", accuracy=0.3, source_run_id="mine")
        recorder.flush(timeout=20)
    with connect(database_url) as connection:
        rows = connection.execute(
            "select (scores ->> 'accuracy')::float8 from raw_evals.evaluation_runs "
            "order by run_version"
        ).fetchall()
    assert rows == [(0.1,), (0.2,), (0.3,)]


def test_with_neither_database_nor_disk_flush_says_so_and_keeps_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "spool").write_text("in the way")
    recorder = Recorder(**ARM, database_url=NOWHERE, queue_records=5)
    for number in range(5):
        recorder.record(task_id=f"t-{number}")
    with pytest.raises(WarehouseUnavailable, match="neither"):
        recorder.flush()
    with pytest.raises(WarehouseUnavailable, match="neither"):
        recorder.record(task_id="one too many")
    (tmp_path / "spool").unlink()
    recorder.close()
    assert recorder.spooled_count == 5


def test_a_closed_recorder_says_so() -> None:
    recorder = Recorder(**ARM, database_url=NOWHERE)
    recorder.close()
    recorder.close()
    with pytest.raises(ConfigurationError, match="closed"):
        recorder.record(task_id="t")


def test_a_group_that_no_record_can_have_is_refused_with_the_record() -> None:
    with (
        Recorder(
            experiment_id="e",
            experiment_group="nobody",
            extension_version="1",
            database_url=NOWHERE,
        ) as recorder,
        pytest.raises(InvalidRecord) as refused,
    ):
        recorder.record(task_id="t")
    assert refused.value.field == "experiment_group"


def test_a_cancelled_task_still_delivers(database_url: str) -> None:
    async def work() -> None:
        async with AsyncRecorder(**ARM, database_url=database_url) as recorder:
            await recorder.record(task_id="t")
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert tasks(database_url) == ["t"]


def test_a_forked_child_records_its_own_and_nothing_of_its_parent(database_url: str) -> None:
    recorder = Recorder(**ARM, database_url=database_url, flush_seconds=60)
    recorder.record(task_id="parent")
    child = os.fork()
    if child == 0:  # pragma: no cover  another process
        try:
            recorder.record(task_id="child")
            recorder.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert tasks(database_url) == ["child"]
    recorder.close()
    assert tasks(database_url) == ["child", "parent"]


def test_the_package_offers_them_by_name() -> None:
    assert loader.Recorder is Recorder
    with pytest.raises(AttributeError):
        _ = loader.nothing
    assert not spool_directory().exists()


def test_inputs_and_outputs_are_kept_only_if_asked_for(database_url: str) -> None:
    given: dict[str, Any] = {
        "inputs": {"prompt": "What is 3 + 4?"},
        "outputs": ["7"],
        "prompt_tokens": 9,
        "cached_tokens": 4,
        "comments": {"accuracy": "exact"},
        "trace_url": "https://traces.example/1",
    }
    for with_io in (False, True):
        with Recorder(**ARM, database_url=database_url, with_io=with_io) as recorder:
            recorder.record(task_id="t", **RUN, **given)
    away = Recorder(**ARM, database_url=database_url, with_io=True, flush_seconds=60)
    with blocked(database_url):
        away.record(task_id="spooled", inputs={"prompt": "é"}, scores={"accuracy": Decimal(1)})
        away.flush(timeout=0.1)
        assert len(waiting()) == 1
    away.close()
    with connect(database_url) as connection:
        rows = connection.execute(
            "select distinct inputs_id, prompt_tokens, cached_tokens, comments, trace_url "
            "from raw_evals.evaluation_runs where task_id = 't'"
        ).fetchall()
        kept = connection.execute(
            "select content from raw_evals.contents order by content::text"
        ).fetchall()
    assert len(rows) == 1
    assert rows[0][1:] == (9, 4, {"accuracy": "exact"}, "https://traces.example/1")
    assert kept == [(["7"],), ({"prompt": "What is 3 + 4?"},), ({"prompt": "é"},)]


def test_a_score_whose_scale_nobody_declared_is_said_once(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        for score in (1, 5, 3):
            recorder.record(task_id="t", scores={"helpfulness": score})
            recorder.flush()
        recorder.record(task_id="t", scores={"tone": 4}, score_scales={"tone": [1, 5]})
    said = [message for message in caplog.messages if "scale" in message]
    assert len(said) == 1
    assert said[0].startswith("scores.helpfulness lies between 5 and 5, off 0 to 1")
    with connect(database_url) as connection:
        rows = connection.execute(
            "select scores, score_scales from raw_evals.evaluation_runs order by repetition"
        ).fetchall()
    assert rows == [
        ({"helpfulness": 1.0}, {}),
        ({"helpfulness": 5.0}, {"helpfulness": None}),
        ({"helpfulness": 3.0}, {"helpfulness": None}),
        ({"tone": 4.0}, {"tone": [1.0, 5.0]}),
    ]
