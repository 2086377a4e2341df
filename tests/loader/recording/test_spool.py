"""The spool: what is acknowledged is loaded once, whatever happens in between."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading

import msgspec
import pytest

from loader.errors import WarehouseUnavailable
from loader.recording.spool import (
    Header,
    SpoolWriter,
    framed,
    replay,
    replay_waiting,
    spool_directory,
    target_name,
    unframed,
    waiting,
)
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

pytestmark = pytest.mark.newest_server


def record(number: int, **others: object) -> bytes:
    return msgspec.json.encode(
        {
            "experiment_id": "exp-1",
            "task_id": f"t-{number}",
            "experiment_group": "code-chef",
            "extension_version": "1.0.0",
            "source_run_id": f"run-{number}",
            "scores": {"accuracy": 0.5},
            **others,
        }
    )


def load_all(url: str) -> list[tuple[int, int, int, int]]:
    with connect(url) as connection:
        return [
            (summary.read, summary.loaded, summary.unchanged, summary.rejected)
            for summary in replay(connection, read_vocabulary(), target_name(url))
        ]


def runs(url: str) -> list[tuple[object, ...]]:
    with connect(url) as connection:
        return connection.execute(
            "select source, source_run_id, run_version from raw_evals.evaluation_runs order by 1, 2"
        ).fetchall()


def accuracies(url: str) -> dict[str, float]:
    """Return the score that counts of each run."""
    with connect(url) as connection:
        rows = connection.execute(
            "select distinct on (source_run_id) source_run_id, (scores ->> 'accuracy')::float8 "
            "from raw_evals.evaluation_runs order by source_run_id, run_version desc"
        ).fetchall()
    return {str(run_id): float(str(value)) for run_id, value in rows}


def test_what_was_appended_is_loaded_once_under_its_own_source(database_url: str) -> None:
    writer = SpoolWriter(Header("run", target_name(database_url)))
    writer.append([record(1), record(2)])
    writer.append([record(3)])
    assert len(waiting()) == 1
    assert load_all(database_url) == [(3, 3, 0, 0)]
    assert waiting() == []
    assert load_all(database_url) == []
    assert runs(database_url) == [("run", f"run-{n}", 1) for n in (1, 2, 3)]


def test_a_file_that_was_loaded_but_not_removed_changes_nothing(database_url: str) -> None:
    writer = SpoolWriter(Header("recorder", target_name(database_url)))
    writer.append([record(1)])
    (path,) = waiting()
    content = path.read_bytes()
    load_all(database_url)
    path.write_bytes(content)
    assert load_all(database_url) == [(0, 0, 0, 0)]
    assert waiting() == []
    assert len(runs(database_url)) == 1


def test_a_file_that_was_gone_on_with_after_its_load_brings_what_is_new(
    database_url: str,
) -> None:
    writer = SpoolWriter(Header("recorder", target_name(database_url)))
    writer.append([record(1, scores={"accuracy": 0.1})])
    (path,) = waiting()
    content = path.read_bytes()
    load_all(database_url)
    writer.append([record(1, scores={"accuracy": 0.2})])
    load_all(database_url)
    # as if killed between the commit and the removal of the file
    path.write_bytes(content)
    writer.append([record(2)])
    assert waiting() == [path]
    assert load_all(database_url) == [(1, 1, 0, 0)]
    assert accuracies(database_url) == {"run-1": 0.2, "run-2": 0.5}


def test_a_file_of_an_earlier_version_is_loaded_and_stands_before_what_comes_now(
    database_url: str,
) -> None:
    header = {"format": 1, "source": "recorder", "target": target_name(database_url)}
    older = record(1, scores={"accuracy": 0.1})
    spool_directory().mkdir()
    path = spool_directory() / "01764486000000000000-17-abcdef01.spool"
    path.write_bytes(framed(msgspec.json.encode(header)) + framed(older))
    writer = SpoolWriter(Header("recorder", target_name(database_url)))
    writer.append([record(1, scores={"accuracy": 0.2})])
    assert waiting()[0] == path
    assert load_all(database_url) == [(1, 1, 0, 0), (1, 1, 0, 0)]
    assert accuracies(database_url) == {"run-1": 0.2}


def test_a_torn_last_line_is_dropped_and_a_damaged_one_is_rejected(database_url: str) -> None:
    writer = SpoolWriter(Header("recorder", target_name(database_url)))
    writer.append([record(1), record(2)])
    (path,) = waiting()
    content = path.read_bytes().replace(b"run-1", b"run-9")
    path.write_bytes(content + framed(record(3))[:-20])
    assert load_all(database_url) == [(2, 1, 0, 1)]
    with connect(database_url) as connection:
        rejected = connection.execute(
            "select reason_code, payload like '%run-9%' from raw_evals.rejected_rows"
        ).fetchall()
    assert rejected == [("checksum_mismatch", True)]


def test_a_checksum_tells_every_torn_end() -> None:
    line = framed(record(1))
    assert unframed(line) == record(1)
    assert all(unframed(line[:length]) is None for length in range(len(line)))


def test_records_for_another_database_wait_for_it(
    database_url: str, empty_database_url: str
) -> None:
    SpoolWriter(Header("recorder", "elsewhere:5432/evals")).append([record(1)])
    assert load_all(database_url) == []
    assert len(waiting()) == 1
    assert "password" not in target_name("postgresql://me:password@host/db")
    assert empty_database_url


def test_a_database_without_the_raw_schema_leaves_them_waiting(empty_database_url: str) -> None:
    SpoolWriter(Header("recorder", target_name(empty_database_url))).append([record(1)])
    assert replay_waiting(empty_database_url) == 0
    assert len(waiting()) == 1


def test_a_command_without_a_database_is_not_disturbed() -> None:
    url = "host=/nonexistent dbname=nothing"
    SpoolWriter(Header("recorder", target_name(url))).append([record(1)])
    assert replay_waiting(url) == 0
    assert len(waiting()) == 1


def test_a_writer_never_waits_for_a_loader(database_url: str) -> None:
    writer = SpoolWriter(Header("recorder", target_name(database_url)))
    writer.append([record(1)])
    (path,) = waiting()
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer.append([record(2)])
        assert len(waiting()) == 2
        assert load_all(database_url) == []  # what stands behind the file in use waits for it
        SpoolWriter(Header("run", target_name(database_url))).append([record(3)])
        assert load_all(database_url) == [(1, 1, 0, 0)]  # but not what is of another source
    assert load_all(database_url) == [(1, 1, 0, 0), (1, 1, 0, 0)]
    writer.append([record(4)])
    assert load_all(database_url) == [(1, 1, 0, 0)]
    assert len(runs(database_url)) == 4


def test_many_loaders_at_once_load_everything_once(database_url: str) -> None:
    for number in range(5):
        SpoolWriter(Header("recorder", target_name(database_url))).append(
            [record(number * 100 + place) for place in range(100)]
        )
    loaded: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: loaded.extend(counts[1] for counts in load_all(database_url))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load_all(database_url)
    assert sum(loaded) == 500
    assert len(runs(database_url)) == 500
    assert waiting() == []


def test_a_failing_load_leaves_the_file(database_url: str) -> None:
    SpoolWriter(Header("recorder", target_name(database_url))).append([record(1)])
    with connect(database_url) as connection:
        connection.execute("set default_transaction_read_only = on")
        connection.commit()
        with pytest.raises(WarehouseUnavailable):
            replay(connection, read_vocabulary(), target_name(database_url))
    assert len(waiting()) == 1
    assert load_all(database_url) == [(1, 1, 0, 0)]


def test_a_file_that_is_no_spool_is_set_aside(database_url: str) -> None:
    spool_directory().mkdir()
    (spool_directory() / "1.spool").write_bytes(b"something else\n")
    (spool_directory() / "2.spool").write_bytes(b"")
    assert load_all(database_url) == []
    assert [path.name for path in spool_directory().glob("*.damaged")] == ["1.damaged"]
    assert waiting() == []


def test_nobody_else_may_read_the_spool(database_url: str) -> None:
    SpoolWriter(Header("recorder", target_name(database_url))).append([record(1)])
    (path,) = waiting()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


_APPEND_UNTIL_KILLED = """
import sys
from loader.recording.spool import Header, SpoolWriter
from test_spool import record
writer = SpoolWriter(Header("recorder", sys.argv[1]))
for number in range(1_000_000):
    writer.append([record(number)])
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(database_url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    acknowledged = -1
    with subprocess.Popen(
        [sys.executable, "-c", _APPEND_UNTIL_KILLED, target_name(database_url)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged == 50:
                process.kill()
    assert acknowledged >= 50
    load_all(database_url)
    there = {str(run_id) for _, run_id, _ in runs(database_url)}
    assert {f"run-{number}" for number in range(acknowledged + 1)} <= there
    assert len(there) <= acknowledged + 2
