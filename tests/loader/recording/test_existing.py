"""A second session into an arm that has runs: it adds, replaces or refuses, and says so."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import Any

import pytest

from loader import AsyncRecorder, Recorder
from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.ingest.withdrawals import Slice, withdraw
from loader.recording.existing import last_load
from loader.recording.spool import Header, SpoolWriter, target_name
from loader.warehouse import locks
from loader.warehouse.connection import connect
from recorders import ARM, NOWHERE

pytestmark = pytest.mark.newest_server


def session(url: str, *runs: dict[str, Any], on_existing: str = "add") -> list[str]:
    """Record runs in a session of its own; return what it has to say."""
    with Recorder(**ARM, database_url=url, on_existing=on_existing) as recorder:
        for run in runs:
            recorder.record(**run)
        recorder.flush()
        return recorder.notes


def stored(url: str) -> list[tuple[Any, ...]]:
    """Return task, repetition, version and accuracy of everything in raw."""
    with connect(url) as connection:
        return connection.execute(
            "select task_id, repetition, run_version, (scores ->> 'accuracy')::float8 "
            "from raw_evals.evaluation_runs order by task_id, repetition, load_id, run_version"
        ).fetchall()


def run(task: str, accuracy: float, **fields: object) -> dict[str, Any]:
    return {"task_id": task, "accuracy": accuracy, **fields}


def test_a_second_session_adds_repetitions_and_says_so(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert session(database_url, run("t", 0.1), run("t", 0.2), run("u", 0.3)) == []
    with caplog.at_level(logging.WARNING):
        (note,) = session(database_url, run("t", 0.4), run("v", 0.5))
    assert note.startswith("exp-1, code-chef 1.2.3 has 3 runs of 2 tasks already")
    assert "adds repetitions" in note
    assert note in caplog.messages
    assert stored(database_url) == [
        ("t", 1, 1, 0.1), ("t", 2, 1, 0.2), ("t", 3, 1, 0.4), ("u", 1, 1, 0.3), ("v", 1, 1, 0.5)
    ]  # fmt: skip


def test_a_repetition_that_is_there_is_numbered_on_and_a_free_one_kept(database_url: str) -> None:
    session(database_url, run("t", 0.1, repetition=1), run("t", 0.2, repetition=2))
    session(database_url, run("t", 0.3, repetition=1), run("t", 0.4, repetition=7))
    assert [row[1] for row in stored(database_url)] == [1, 2, 3, 7]


def test_runs_without_a_number_count_towards_the_next(database_url: str) -> None:
    # as recorders of before numbered nothing
    named = [run("t", 0.1, source_run_id="a"), run("t", 0.2, source_run_id="b")]
    session(database_url, *named)
    session(database_url, run("t", 0.3))
    assert stored(database_url) == [("t", 3, 1, 0.3), ("t", None, 1, 0.1), ("t", None, 1, 0.2)]


def test_replacing_makes_new_versions_and_says_what_stays(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    session(database_url, run("t", 0.1), run("t", 0.2), run("u", 0.3))
    with caplog.at_level(logging.WARNING):
        notes = session(
            database_url, run("t", 0.8, repetition=2), run("v", 0.9), on_existing="replace"
        )
    assert stored(database_url) == [
        ("t", 1, 1, 0.1), ("t", 2, 1, 0.2), ("t", 2, 2, 0.8), ("u", 1, 1, 0.3), ("v", 1, 1, 0.9)
    ]  # fmt: skip
    assert "replaces them" in notes[0]
    assert notes[1].startswith("1 of 3 runs replaced; 2 stay")
    assert notes[1] in caplog.messages
    again = session(
        database_url, run("t", 0.4), run("t", 0.5), run("t", 0.6), run("u", 0.7), run("v", 0.7),
        on_existing="replace",
    )  # fmt: skip
    assert again[1] == "4 of 4 runs replaced"
    assert stored(database_url)[-6:-2] == [
        ("t", 2, 3, 0.5), ("t", 3, 1, 0.6), ("u", 1, 1, 0.3), ("u", 1, 2, 0.7)
    ]  # fmt: skip


def test_runs_of_another_source_cannot_be_replaced_which_is_said(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url, source="harness") as other:
        other.record(**run("t", 0.1))
    notes = session(database_url, run("t", 0.9), on_existing="replace")
    assert "1 of them of another source than recorder" in notes[1]
    assert stored(database_url) == [("t", 1, 1, 0.1), ("t", 2, 1, 0.9)]


def test_a_repetition_that_is_not_there_replaces_no_other(database_url: str) -> None:
    session(database_url, run("t", 0.1), run("t", 0.2))
    # as processes that share the repetitions of a task between them
    notes = session(
        database_url, run("t", 0.5, repetition=3), run("t", 0.6, repetition=1),
        run("t", 0.7, repetition=1), on_existing="replace",
    )  # fmt: skip
    assert notes[1].startswith("1 of 2 runs replaced; 1 stay")
    assert stored(database_url) == [
        ("t", 1, 1, 0.1), ("t", 1, 2, 0.6), ("t", 2, 1, 0.2), ("t", 3, 1, 0.5), ("t", 4, 1, 0.7)
    ]  # fmt: skip


def test_what_a_record_has_named_is_replaced_and_no_other_takes_its_place(
    database_url: str,
) -> None:
    mine = {"source_run_id": "mine", "repetition": 1}
    session(database_url, run("t", 0.1, **mine), run("t", 0.2, repetition=2))
    notes = session(database_url, run("t", 0.5, **mine), run("t", 0.6), on_existing="replace")
    assert notes[1] == "2 of 2 runs replaced"
    assert [row[1:] for row in stored(database_url)] == [
        (1, 1, 0.1), (1, 2, 0.5), (2, 1, 0.2), (2, 2, 0.6)
    ]  # fmt: skip


def test_what_was_only_prepared_has_replaced_nothing(database_url: str) -> None:
    session(database_url, run("t", 0.1))
    with Recorder(**ARM, database_url=database_url, on_existing="replace") as recorder:
        prepared = recorder.prepare(**run("t", 0.2))
        assert recorder.replaced_count == 0
        recorder.record(**prepared)
        assert recorder.replaced_count == 1


def test_refusing_does_not_begin(database_url: str) -> None:
    assert session(database_url, run("t", 0.1), on_existing="refuse") == []
    with pytest.raises(
        ConfigurationError, match=r"exp-1, code-chef 1\.2\.3 has 1 run of 1 task already"
    ):
        Recorder(**ARM, database_url=database_url, on_existing="refuse")
    other = {**ARM, "extension_version": "1.2.4"}
    with Recorder(**other, database_url=database_url, on_existing="refuse") as recorder:
        recorder.record(**run("t", 0.2))
    assert [row[3] for row in stored(database_url)] == [0.1, 0.2]


def test_the_asynchronous_recorder_looks_when_it_is_entered(database_url: str) -> None:
    session(database_url, run("t", 0.1))

    async def refused() -> None:
        recorder = AsyncRecorder(**ARM, database_url=database_url, on_existing="refuse")
        async with recorder:
            raise AssertionError("must not get here")

    async def added() -> list[str]:
        async with AsyncRecorder(**ARM, database_url=database_url) as recorder:
            await recorder.record(**run("t", 0.2))
            return recorder.notes

    with pytest.raises(ConfigurationError, match="already"):
        asyncio.run(refused())
    assert "adds repetitions" in asyncio.run(added())[0]
    assert [row[1] for row in stored(database_url)] == [1, 2]


def test_an_arm_that_only_records_name_is_seen_at_its_first_record(database_url: str) -> None:
    session(database_url, run("t", 0.1))

    async def record() -> None:
        async with AsyncRecorder(database_url=database_url, on_existing="refuse") as recorder:
            await recorder.record(**{**ARM, "extension_version": "2"}, **run("t", 0.2))
            with pytest.raises(ConfigurationError, match="already"):
                await recorder.record(**ARM, **run("t", 0.3))

    asyncio.run(record())
    with Recorder(database_url=database_url) as recorder:
        recorder.record(**ARM, **run("t", 0.4))
    assert [row[3] for row in stored(database_url)] == [0.1, 0.2, 0.4]


def test_a_named_run_is_corrected_whatever_is_there(database_url: str) -> None:
    for accuracy, on_existing in ((0.1, "add"), (0.2, "add"), (0.3, "replace")):
        session(database_url, run("t", accuracy, source_run_id="mine"), on_existing=on_existing)
    assert [row[2:] for row in stored(database_url)] == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_what_an_earlier_session_left_in_the_spool_is_there(database_url: str) -> None:
    record = (
        b'{"experiment_id":"exp-1","experiment_group":"code-chef","extension_version":"1.2.3",'
        b'"task_id":"t","source_run_id":"old","accuracy":0.1,"repetition":4}'
    )
    SpoolWriter(Header("recorder", target_name(database_url))).append([record])
    session(database_url, run("t", 0.2))
    assert [row[1] for row in stored(database_url)] == [4, 5]


def test_a_load_that_does_not_end_keeps_no_session_from_beginning(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.recording.existing._LOCK_SECONDS", 1)
    SpoolWriter(Header("recorder", target_name(database_url))).append(
        [b'{"task_id":"old","source_run_id":"old"}']
    )
    with connect(database_url) as other:
        locks.try_draw(other)
        recorder = Recorder(**ARM, database_url=database_url)
        assert "not known (another load did not end in 1 s: evalmart" in recorder.notes[0]
        other.rollback()
    recorder.record(**run("t", 0.1))
    recorder.close()
    assert stored(database_url) == [("t", None, 1, 0.1)]


@pytest.mark.parametrize("on_existing", ["replace", "refuse"])
def test_without_the_database_nothing_can_be_replaced_or_refused(on_existing: str) -> None:
    with pytest.raises(WarehouseUnavailable, match=r"what is there of exp-1.*or add"):
        Recorder(**ARM, database_url=NOWHERE, on_existing=on_existing)


def test_without_the_database_runs_are_added_and_what_is_assumed_is_said() -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        recorder.record(**run("t", 0.2))
        recorder.record(**run("t", 0.3, repetition=3))
        assert "not known (cannot connect" in recorder.notes[0]
        assert [recorder.prepare(**run("t", 0.2)).get("repetition")] == [None]
    assert recorder.spooled_count == 2


def test_a_word_that_is_none_of_the_three_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="add, replace or refuse"):
        Recorder(**ARM, database_url=NOWHERE, on_existing="overwrite")


def test_two_sessions_at_once_add_and_neither_overwrites_the_other(database_url: str) -> None:
    session(database_url, run("t-0", 0.1))
    begun = threading.Barrier(4)

    def add(place: int) -> None:
        with Recorder(**ARM, database_url=database_url, flush_seconds=0.01) as recorder:
            begun.wait()  # every one has seen the same
            for number in range(50):
                recorder.record(**run(f"t-{number % 10}", place / 10))

    threads = [threading.Thread(target=add, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = stored(database_url)
    assert len(rows) == 201
    assert {row[2] for row in rows} == {1}
    assert min(row[1] for row in rows if row[0] == "t-0" and row[3] != 0.1) == 2


def test_a_forked_child_and_its_parent_do_not_overwrite_each_other(database_url: str) -> None:
    recorder = Recorder(**ARM, database_url=database_url, flush_seconds=60)
    child = os.fork()
    if child == 0:  # pragma: no cover  another process
        try:
            recorder.record(**run("t", 0.1))
            recorder.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    recorder.record(**run("t", 0.2))
    recorder.close()
    assert [row[2:] for row in stored(database_url)] == [(1, 0.1), (1, 0.2)]


def test_what_was_withdrawn_is_not_there(database_url: str) -> None:
    session(database_url, run("t", 0.1))
    session(database_url, run("u", 0.2))
    with connect(database_url) as connection:
        withdraw(connection, Slice(experiment="exp-1", task="t"), "a wrong judge", None)
    (note,) = session(database_url, run("t", 0.3), run("u", 0.4))
    assert "has 1 run of 1 task already" in note
    assert [row[:2] for row in stored(database_url)] == [("t", 1), ("t", 1), ("u", 1), ("u", 2)]
    with connect(database_url) as connection:
        withdraw(connection, Slice(experiment="exp-1"), "all of it", None)
    assert session(database_url, run("t", 0.5), on_existing="refuse") == []


def test_processes_of_one_session_see_what_was_there_before_it(database_url: str) -> None:
    session(database_url, run("t", 0.1))
    mark = last_load(database_url)
    with Recorder(**ARM, database_url=database_url, as_of_load=mark) as first:
        first.record(**run("u", 0.2))
        first.flush()
        with Recorder(**ARM, database_url=database_url, as_of_load=mark) as second:
            assert second.notes == first.notes
    assert "1 run of 1 task" in first.notes[0]
    assert last_load(NOWHERE) is None


def test_a_prepared_record_is_kept_only_when_it_is_recorded(database_url: str) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        first = recorder.prepare(**run("t", 0.1))
        recorder.prepare(**run("t", 0.2))
        assert recorder.record(**{**first, "success": False}) == first["source_run_id"]
    assert stored(database_url) == [("t", 1, 1, 0.1)]
