"""One order of the versions of a run, whatever way they come and whatever the clock says."""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import servers
from loader import Recorder
from loader.ingest.load import load
from loader.recording.delivery import _Batch
from loader.recording.spool import Header, SpoolWriter, replay, target_name, waiting
from loader.recording.spool_file import try_lock
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary
from recorders import ARM

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.newest_server


def record(value: float, run: str = "mine") -> bytes:
    fields = {**ARM, "task_id": run, "source_run_id": run, "scores": {"accuracy": value}}
    return msgspec.json.encode(fields)


def values(url: str, run: str = "mine") -> list[float]:
    """Return the successive scores of a run."""
    query = (
        "select (scores ->> 'accuracy')::float8 from raw_evals.evaluation_runs "
        "where source_run_id = %s order by run_version"
    )
    with connect(url) as connection:
        return [float(str(value)) for (value,) in connection.execute(query, [run])]


def load_spool(url: str, target: str | None = None) -> None:
    with connect(url) as connection:
        replay(connection, read_vocabulary(), target or target_name(url))


_APPENDER = """
import itertools, random, sys, time
from datetime import datetime

# a clock that jumps, differently in each process
chance = random.Random(sys.argv[2])
time.time_ns = lambda: chance.randrange(10**18, 2 * 10**18)
time.time = lambda: time.time_ns() / 1e9

from loader.recording.spool import Header, SpoolWriter
from test_order import record

# files of the one are not gone on with by the other where their headers differ
writer = SpoolWriter(Header("recorder", sys.argv[1], keep_contents=sys.argv[3] == "1"))
for line in sys.stdin:
    run, value = line.split()
    writer.append([record(float(value), run)])
    print("kept", flush=True)
"""


class Appender:
    """A process that lives long and appends to the spool what it is told to."""

    def __init__(self, url: str, seed: int, *, keeps_contents: bool) -> None:
        told = (target_name(url), str(seed), str(int(keeps_contents)))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _APPENDER, *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def append(self, run: str, value: float) -> None:
        """Return when it is acknowledged."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{run} {value}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "kept\n"


@contextlib.contextmanager
def appenders(url: str, count: int, *, have_files_apart: bool = False) -> Iterator[list[Appender]]:
    made = [
        Appender(url, seed, keeps_contents=have_files_apart and seed % 2 == 1)
        for seed in range(count)
    ]
    try:
        yield made
    finally:
        for each in made:
            each.process.communicate()


@pytest.mark.parametrize("have_files_apart", [False, True], ids=["together", "apart"])
def test_a_correction_by_the_older_process_is_loaded_after_what_it_corrects(
    database_url: str,
    have_files_apart: bool,
) -> None:
    with appenders(database_url, 2, have_files_apart=have_files_apart) as (old, young):
        old.append("other", 0.5)  # its file begins before that of the other process
        young.append("mine", 0.1)
        old.append("mine", 0.2)
        young.append("mine", 0.3)
        old.append("mine", 0.4)
    assert len(waiting()) == (5 if have_files_apart else 1)
    load_spool(database_url)
    assert values(database_url) == [0.1, 0.2, 0.3, 0.4]


_LOADER = """
import sys
from test_order import load_spool
print("begun", flush=True)
while True:
    load_spool(sys.argv[1])
"""


@pytest.mark.slow
def test_the_last_acknowledged_value_counts_though_loaders_are_killed(database_url: str) -> None:
    chance = random.Random(16)  # noqa: S311  the same each time
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    last: dict[str, float] = {}
    is_over = threading.Event()

    def load_and_kill() -> None:
        while not is_over.is_set():
            with subprocess.Popen(
                [sys.executable, "-c", _LOADER, database_url],
                env=environment,
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(chance.uniform(0.0, 0.3))
                process.kill()

    killer = threading.Thread(target=load_and_kill)
    killer.start()
    try:
        with appenders(database_url, 3) as writers:
            end = time.monotonic() + 20
            while time.monotonic() < end:
                run = f"run-{chance.randrange(5)}"
                # values come back: a copy that is late would be no new content
                value = chance.randrange(4) / 4
                chance.choice(writers).append(run, value)
                last[run] = value
    finally:
        is_over.set()
        killer.join()
    load_spool(database_url)
    assert waiting() == []
    assert {run: values(database_url, run)[-1] for run in last} == last


class Slow:
    """A way to a server that keeps what is sent, while it is told to."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = conninfo_to_dict(url)
        self.url = make_conninfo(url, host=str(folder))
        self.is_open = threading.Event()
        self.is_open.set()
        self._name = f".s.PGSQL.{parts['port']}"
        self._server = Path(str(parts["host"]), self._name)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / self._name))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client:
                        self.is_open.wait()
                        server.sendall(data)
                    else:
                        client.sendall(data)

    def close(self) -> None:
        self.is_open.set()
        self._listener.close()


@pytest.fixture
def slow(database_url: str) -> Iterator[Slow]:
    with servers.short_directory() as folder:
        way = Slow(database_url, folder)
        yield way
        way.close()


def test_a_batch_that_arrives_late_does_not_undo_a_correction(
    database_url: str, slow: Slow
) -> None:
    with Recorder(**ARM, database_url=slow.url, flush_seconds=0.05) as recorder:
        recorder.record(task_id="first")
        recorder.flush(timeout=20)
        slow.is_open.clear()
        recorder.record(task_id="t", accuracy=0.1, source_run_id="mine")
        recorder.flush(timeout=0.5)
        recorder.record(task_id="t", accuracy=0.2, source_run_id="mine")
        recorder.flush(timeout=0.5)
        load_spool(database_url, target_name(slow.url))  # some other command does
        assert values(database_url) == [0.1, 0.2]
        slow.is_open.set()
        recorder.flush(timeout=20)
    assert waiting() == []
    assert values(database_url) == [0.1, 0.2]


def test_a_copy_in_the_spool_does_not_undo_what_came_after_the_batch(
    database_url: str, slow: Slow
) -> None:
    with Recorder(**ARM, database_url=slow.url, flush_seconds=0.05) as recorder:
        recorder.record(task_id="first")
        recorder.flush(timeout=20)
        slow.is_open.clear()
        recorder.record(task_id="t", accuracy=0.1, source_run_id="mine")
        recorder.flush(timeout=0.5)
        (copy,) = waiting()
        kept = copy.read_bytes()
        slow.is_open.set()
        recorder.flush(timeout=20)
    assert values(database_url) == [0.1]
    with connect(database_url) as connection:  # from another machine, with a spool of its own
        load(connection, _Batch("recorder", [record(0.2)]), read_vocabulary())
    copy.write_bytes(kept)  # and one that was killed before it could remove the file
    load_spool(database_url, target_name(slow.url))
    assert values(database_url) == [0.1, 0.2]


def test_what_is_newer_goes_behind_what_another_process_is_loading(database_url: str) -> None:
    SpoolWriter(Header("recorder", target_name(database_url))).append([record(0.1)])
    (first,) = waiting()
    with (first.parent / "loading.lock").open("a") as lock:
        assert try_lock(lock.fileno())  # as the other process has it
        with Recorder(**ARM, database_url=database_url) as recorder:
            recorder.record(task_id="t", accuracy=0.2, source_run_id="mine")
            recorder.flush()
            assert values(database_url) == []
            assert recorder.spooled_count == 1
    load_spool(database_url)
    assert values(database_url) == [0.1, 0.2]


_REFUSED = """
import resource, sys
from loader import Recorder
from loader.errors import WarehouseUnavailable

recorder = Recorder(
    experiment_id="exp-1", experiment_group="code-chef", extension_version="1.2.3",
    database_url="host=/nonexistent dbname=evals", queue_records=1, exit_seconds=0.1,
)
if sys.argv[1] == "later":
    recorder.record(task_id="kept")
    recorder.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
refused = 0
for number in range(100):
    try:
        recorder.record(task_id=f"t-{number}")
    except WarehouseUnavailable:
        refused += 1
print(refused)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recorder.close()
"""


@pytest.mark.parametrize("since", ["the start", "later"])
def test_a_disk_that_takes_nothing_is_left_no_empty_files(database_url: str, since: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _REFUSED, since], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) >= 98
    assert len(waiting()) == 1  # what was in memory when there was room again
    target = target_name("host=/nonexistent dbname=evals")
    load_spool(database_url, target)
    with connect(database_url) as connection:
        query = "select count(*), count(distinct task_id) from raw_evals.evaluation_runs"
        (counted,) = connection.execute(query).fetchall()
    taken = 100 - int(done.stdout) + (since == "later")
    assert counted == (taken, taken)
