"""Records checked in several processes: the same rows in the same order, whatever dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import pytest

from ingest_support import VOCABULARY, line, select, stored_runs
from loader.ingest import parallel
from loader.ingest.load import load
from loader.ingest.parallel import Checked, ParallelChecker
from loader.ingest.summary import SetAside
from loader.records.checker import Checker
from loader.sources import JsonBatch, SourceRow
from loader.sources.files import FileSource
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.newest_server

BATCHES = 60


def text(number: int) -> bytes:
    """Make a record; every 301st is not sound, and every 401st is on no scale."""
    score = "7" if number % 301 == 300 else 7 if number % 401 == 400 else number % 101 / 100
    return line(source_run_id=f"r{number:06}", task_id=f"t{number}", scores={"accuracy": score})


def batches(between: Callable[[int], None]) -> Iterator[JsonBatch | SourceRow]:
    """Yield batches of uneven size, now and then a row that stands alone."""
    numbers = count()
    for place in range(BATCHES):
        between(place)
        chosen = [next(numbers) for _ in range(1 + place * 37 % 200)]
        yield JsonBatch("file", chosen, [text(number) for number in chosen])
        if place % 7 == 3:
            yield SourceRow(next(numbers), "file", b"", {}, None)


def check(most_processes: int, between: Callable[[int], None]) -> list[Checked | SourceRow]:
    with ParallelChecker(partial(Checker, VOCABULARY), most_processes=most_processes) as checks:
        return list(checks.checked(batches(between)))


@pytest.fixture
def started_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes for the second batch of a load."""
    start = ParallelChecker.start

    def start_and_wait(checks: ParallelChecker) -> None:
        start(checks)
        deadline = time.monotonic() + 60
        while not checks.is_ready:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    monkeypatch.setattr(parallel, "START_BYTES", 1)
    monkeypatch.setattr(ParallelChecker, "start", start_and_wait)


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the records that this process checks itself."""
    counts: list[int] = []
    original = parallel.check

    def counting(*given: object) -> object:
        counts.append(len(given[1]))  # type: ignore[arg-type]
        return original(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(parallel, "check", counting)
    return counts


def test_the_answers_are_those_of_one_process_in_its_order(
    started_at_once: None, checked_here: list[int]
) -> None:
    del started_at_once
    expected = check(0, lambda _: None)
    here = sum(checked_here)
    assert check(2, lambda _: None) == expected
    assert sum(checked_here) == here, "other processes took their part"
    assert any(None in item.parts for item in expected if isinstance(item, Checked))
    assert not multiprocessing.active_children()


def test_a_process_that_dies_costs_no_record(started_at_once: None) -> None:
    del started_at_once

    def kill(place: int) -> None:
        if place in (20, 40):
            victim = multiprocessing.active_children()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()

    assert check(2, kill) == check(0, lambda _: None)


def test_a_large_file_is_loaded_the_same_on_every_core(
    database_url: str, tmp_path: Path, started_at_once: None
) -> None:
    """Among the records: faults, lines that are no JSON, and a run whose score changes."""
    del started_at_once
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        for number in range(12_000):
            file.write(text(number) + b"\n")
            if number % 1000 == 500:
                again = {"accuracy": 0.25 if number % 2000 == 500 else 0.75}
                file.write(line(source_run_id="again", task_id="again", scores=again) + b"\n")
                file.write(b"{no json\n")
    stored = []
    for most_processes in (0, 2):
        with connect(database_url) as connection:
            connection.execute(
                "truncate raw_evals.evaluation_runs, raw_evals.loads, raw_evals.rejected_rows"
            )
            connection.commit()
            source = FileSource([str(path)], None, groups=VOCABULARY.groups, supplied=())
            summary = load(connection, source, VOCABULARY, most_processes=most_processes)
        counts = (summary.read, summary.loaded, summary.unchanged, summary.rejected)
        rejected = select(
            database_url,
            "select row_number, reason_code, payload from raw_evals.rejected_rows order by 1",
        )
        told = (counts, summary.reasons, summary.set_aside, summary.records_aside)
        stored.append((*told, stored_runs(database_url), rejected))
    assert stored[0] == stored[1]
    assert stored[0][0] == (12_024, 11_963, 10, 51)
    assert stored[0][2] == (SetAside("scores.accuracy", "off_scale", 29, 7.0, 7.0),)


def test_the_processes_of_a_killed_load_end_with_it(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, time\n"
        "from functools import partial\n"
        "from loader.ingest import parallel\n"
        "from loader.sources import JsonBatch\n"
        "from loader.records.checker import Checker\n"
        "from loader.records.vocabulary import Vocabulary\n"
        "if __name__ == '__main__':\n"
        "    parallel.START_BYTES = 1\n"
        "    checks = parallel.ParallelChecker(\n"
        "        partial(Checker, Vocabulary(frozenset())), most_processes=2)\n"
        "    list(checks.checked([JsonBatch('', [1], [b'{}'])]))\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert len(children) == min(2, len(os.sched_getaffinity(0)))
        process.kill()
    deadline = time.monotonic() + 60
    while any(map(is_running, children)):
        assert time.monotonic() < deadline, "a process outlived its load"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie that nobody has waited for."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
