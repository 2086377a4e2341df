"""Loads that are large, concurrent or killed: the outcome is that of one after the other."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_support import (
    VOCABULARY,
    load_file,
    load_records,
    record,
    select,
    stored_runs,
)
from loader.errors import WarehouseUnavailable
from loader.ingest import change_feed, side_rows
from loader.ingest import writer as warehouse
from loader.ingest.load import load
from loader.warehouse import locks
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loader.sources import SourceRow

pytestmark = pytest.mark.slow


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a handful of records a large load."""
    monkeypatch.setattr(warehouse, "SMALL_LOAD_ROWS", 3)
    monkeypatch.setattr(warehouse, "CHUNK_ROWS", 4)
    monkeypatch.setattr(warehouse, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(side_rows, "_MOST_BYTES", 1500)
    monkeypatch.setattr(change_feed, "_MOST_KEPT", 1)


def empty(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "truncate raw_evals.evaluation_runs, raw_evals.loads, "
            "raw_evals.load_experiments, raw_evals.rejected_rows"
        )


def write(path: Path, records: Sequence[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(fields) + "\n" for fields in records))
    return path


# One record is (experiment, task, score) of a run that says its id; a score of 9 is no number.
Load = list[tuple[int, int, int]]
LOADS = st.lists(
    st.lists(
        st.tuples(st.integers(1, 2), st.integers(1, 5), st.sampled_from([0, 0, 1, 1, 9])),
        max_size=30,
    ),
    min_size=1,
    max_size=4,
)


def expected_versions(loads: list[Load]) -> tuple[dict[tuple[int, int], list[int]], list[int]]:
    """Apply the rule of versions, record by record: versions of each run, rows loaded."""
    versions: dict[tuple[int, int], list[int]] = defaultdict(list)
    loaded = []
    for one in loads:
        sound = [(run[:2], run[2]) for run in one if run[2] != 9]
        last = {run: position for position, (run, _) in enumerate(sound)}
        count = 0
        for position, (run, score) in enumerate(sound):
            stored = versions[run]
            is_new = score not in stored
            returns = position == last[run] and stored and stored[-1] != score
            if is_new or returns:
                stored.append(score)
                count += 1
        loaded.append(count)
    return {run: scores for run, scores in versions.items() if scores}, loaded


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(loads=LOADS, from_files=st.booleans())
def test_versions_follow_the_rule_whatever_way_the_rows_take(
    shared_url: str,
    small_chunks: None,
    tmp_path: Path,
    *,
    loads: list[Load],
    from_files: bool,
) -> None:
    del small_chunks
    empty(shared_url)
    versions, loaded = expected_versions(loads)
    for one, count in zip(loads, loaded, strict=True):
        records = [
            record(
                experiment_id=f"e{experiment}",
                task_id=f"t{task}",
                source_run_id=f"r{task}",
                scores={"own": "nine" if score == 9 else score},
            )
            for experiment, task, score in one
        ]
        if not records:
            continue
        # files may take the straight way, records in memory never do
        if from_files:
            # again: the rule of any record, not that of a file that is known
            summary = load_file(shared_url, write(tmp_path / "a.jsonl", records), again=True)
        else:
            summary = load_records(shared_url, records)
        assert summary.loaded == count
        assert summary.rejected == sum(1 for run in one if run[2] == 9)
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for experiment, task, score in select(
        shared_url,
        "select substr(experiment_id, 2)::int, substr(task_id, 2)::int, (scores->>'own')::float "
        "from raw_evals.evaluation_runs order by run_version",
    ):
        found[experiment, task].append(int(score))
    assert dict(found) == versions
    changes = select(
        shared_url,
        "select load_id, experiment_id from raw_evals.load_experiments except "
        "select load_id, experiment_id from raw_evals.evaluation_runs",
    )
    missing = select(
        shared_url,
        "select load_id, experiment_id from raw_evals.evaluation_runs except "
        "select load_id, experiment_id from raw_evals.load_experiments",
    )
    assert changes == missing == []


def test_the_straight_way_is_taken_when_it_is_free_and_only_then(
    database_url: str, tmp_path: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del small_chunks
    statements: list[str] = []
    insert = warehouse.LoadWriter._insert_staged  # noqa: SLF001  is what tells the ways apart

    def counting(self: warehouse.LoadWriter) -> tuple[int, int]:
        count, replaced = insert(self)
        statements.append(f"staged {count}")
        return count, replaced

    monkeypatch.setattr(warehouse.LoadWriter, "_insert_staged", counting)
    path = write(tmp_path / "a.jsonl", [record(task_id=f"t{n}") for n in range(50)])
    assert load_file(database_url, path).loaded == 50
    assert statements == ["staged 0"]
    # twice: the first chunk is refused by the primary key and all go the normal way
    assert load_file(database_url, path).unchanged == 50
    # another load under way: nobody waits for the lock before the rows are staged
    others = write(
        tmp_path / "b.jsonl", [record(experiment_id="e2", task_id=f"t{n}") for n in range(50)]
    )
    with connect(database_url) as other, ThreadPoolExecutor() as pool:
        locks.try_draw(other)
        waiting = pool.submit(load_file, database_url, others)
        time.sleep(0.5)
        assert not waiting.done()
        other.commit()
        assert waiting.result(timeout=30).loaded == 50
    assert statements == ["staged 0", "staged 0", "staged 50"]


def test_eight_loads_at_once_end_as_one_after_the_other(
    database_url: str, tmp_path: Path, small_chunks: None
) -> None:
    del small_chunks
    chance = random.Random(20_250_113)  # noqa: S311  a test, not a secret
    files = []
    for worker in range(8):
        # half of the runs are everybody's, half its own; all in one experiment
        tasks = [f"shared-{n}" for n in range(60)] + [f"own-{worker}-{n}" for n in range(60)]
        chance.shuffle(tasks)
        records = [record(task_id=task, scores={"own": 0.5}) for task in tasks]
        files.append(write(tmp_path / f"{worker}.jsonl", records))
    with ThreadPoolExecutor(8) as pool:
        summaries = list(pool.map(lambda path: load_file(database_url, path), files))
    assert sum(summary.read for summary in summaries) == 8 * 120
    assert sum(summary.loaded for summary in summaries) == 60 + 8 * 60
    runs = stored_runs(database_url)
    assert len(runs) == 60 + 8 * 60
    assert {row[2] for row in runs} == {1}
    ids = sorted(summary.load_id or 0 for summary in summaries)
    ledger = select(database_url, "select load_id from raw_evals.loads order by finished_at")
    assert sorted(row[0] for row in ledger) == ids
    assert ids == [row[0] for row in ledger], "load ids become visible in order"


def test_a_killed_load_is_there_whole_or_not_at_all(database_url: str, tmp_path: Path) -> None:
    count = 12_000
    path = write(
        tmp_path / "a.jsonl",
        [record(task_id=f"t{n}", scores={"own": n % 7 / 7}) for n in range(count)],
    )
    command = [
        sys.executable, "-m", "loader", "ingest", "--database-url", database_url,
        "--summary-format", "json", "--file", str(path),
    ]  # fmt: skip
    chance = random.Random(7)  # noqa: S311
    started = time.monotonic()
    subprocess.run([*command, "--dry-run"], check=True, capture_output=True)
    usual = time.monotonic() - started
    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            time.sleep(usual * chance.uniform(0.3, 1.1))
            process.send_signal(signal.SIGKILL)
        [(stored, ledger)] = select(
            database_url,
            "select (select count(*) from raw_evals.evaluation_runs), "
            "(select coalesce(sum(rows_loaded), 0) from raw_evals.loads)",
        )
        assert stored in (0, count)
        assert ledger == stored
    done = subprocess.run(command, check=True, capture_output=True)
    summary: dict[str, Any] = json.loads(done.stdout)
    assert summary["read"] == summary["loaded"] + summary["unchanged"] == count
    runs = stored_runs(database_url)
    assert len(runs) == count
    assert {row[2] for row in runs} == {1}


class Killing(MemorySource):
    """A source that has somebody end the loader's own session half-way."""

    def __init__(self, url: str, victim: int) -> None:
        super().__init__(record(task_id=f"t{number}") for number in range(30_000))
        self._url = url
        self._victim = victim

    def rows(self) -> Iterator[SourceRow]:
        for row in super().rows():
            if row.row_number == 9000:
                with connect(self._url) as other:
                    other.execute("select pg_terminate_backend(%s)", [self._victim])
            yield row


def test_a_session_that_dies_during_a_load_is_reported_and_leaves_nothing(
    database_url: str,
) -> None:
    with connect(database_url) as connection:
        source = Killing(database_url, connection.info.backend_pid)
        with pytest.raises(WarehouseUnavailable):
            load(connection, source, VOCABULARY)
    assert stored_runs(database_url) == []
