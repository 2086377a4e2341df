"""The recorder: nothing lost, nothing doubled, nobody kept waiting."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

import loader
from loader import AsyncRecorder, Recorder
from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.recording.spool import spool_directory, waiting
from loader.warehouse.connection import connect
from recorders import ARM, NOWHERE, RUN, blocked, tasks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


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


def record_many(recorder: Recorder, name: str) -> None:
    for number in range(1250):
        recorder.record(task_id=f"{name}-{number}", **RUN)


def test_ten_thousand_records_from_eight_threads_arrive_once(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        threads = [
            threading.Thread(target=record_many, args=(recorder, f"t-{place}"))
            for place in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.flush()
        assert recorder.loaded_count == 10_000
    there = tasks(database_url)
    assert len(there) == len(set(there)) == 10_000


def test_ten_thousand_records_from_two_hundred_tasks_arrive_once(database_url: str) -> None:
    async def work(recorder: AsyncRecorder, place: int) -> None:
        for number in range(50):
            await recorder.record(task_id=f"t-{place}-{number}", **RUN)
            await asyncio.sleep(0)

    async def main() -> None:
        async with AsyncRecorder(**ARM, database_url=database_url) as recorder:
            await asyncio.gather(*(work(recorder, place) for place in range(200)))

    asyncio.run(main())
    there = tasks(database_url)
    assert len(there) == len(set(there)) == 10_000


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
            # who waited for the database would wait until it is let go
            assert time.perf_counter() - started < 20
            assert longest < 20
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


def test_a_cancelled_task_still_delivers(database_url: str) -> None:
    async def work(is_recorded: asyncio.Event) -> None:
        async with AsyncRecorder(**ARM, database_url=database_url) as recorder:
            await recorder.record(task_id="t")
            is_recorded.set()
            await asyncio.sleep(60)

    async def main() -> None:
        is_recorded = asyncio.Event()
        task = asyncio.create_task(work(is_recorded))
        await is_recorded.wait()
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
