"""Load rate and memory: a million records against a bare COPY of the same rows.

    python benchmarks/load.py [RECORDS]

Generates records of about 470 bytes with every usual field, loads them through the
command line into a private embedded server, loads them again (all unchanged), and then
copies the very same rows, already formatted, into a table without an index. Prints ratios
with their floors and exits with 1 if one is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
from measures import report

from loader.records.canonical import COLUMNS
from loader.warehouse import embedded as server
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate

REPOSITORY = Path(__file__).resolve().parent.parent
RATE_FLOOR = 0.5
MEMORY_CEILING_MB = 150
TASKS = 1000
RUNS_OF_AN_EXPERIMENT = 4000
_BLOCK_BYTES = 256 * 1024
_ROW = ", ".join((*COLUMNS, "content_hash", "load_id", "run_version", "source"))


class Run(NamedTuple):
    """One load through the command line."""

    summary: dict[str, object]
    seconds: float
    """Wall clock of the whole process, its start included."""
    memory_mb: float
    """Of the process and those it starts, their peaks added up."""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory(prefix="evalmart-", dir="/tmp") as name:
        directory = Path(name)
        records = directory / "records.jsonl"
        write_records(records, count)
        size = records.stat().st_size
        print(f"{count:,} records, {size / count:.0f} bytes each")
        database = server.start(directory / "data")
        try:
            return measure(database, records, directory / "rows", count)
        finally:
            server.stop(directory / "data")
            shutil.rmtree(directory / "data", ignore_errors=True)


def measure(database: str, records: Path, rows: Path, count: int) -> int:
    """Load, load again, copy bare; print and judge."""
    with connect(database) as connection:
        migrate(connection)
    first = load(database, records)
    assert first.summary["loaded"] == count, first.summary  # noqa: S101
    export_rows(database, rows)
    bare = bare_copy(database, rows)
    again = load(database, records)
    assert again.summary["unchanged"] == count, again.summary  # noqa: S101
    ratio = bare / first.seconds
    memory = max(first.memory_mb, again.memory_mb)
    print(f"bare COPY of the same rows   {bare:7.1f} s   {count / bare:9,.0f} rows/s")
    print(f"load                         {first.seconds:7.1f} s   "
          f"{count / first.seconds:9,.0f} rows/s")  # fmt: skip
    print(f"load again, all unchanged    {again.seconds:7.1f} s   "
          f"{count / again.seconds:9,.0f} rows/s")  # fmt: skip
    is_quick = report("load rate / bare COPY", ratio, RATE_FLOOR, is_floor=True)
    is_small = report("loader's peak memory, MB", memory, MEMORY_CEILING_MB)
    return 0 if is_quick and is_small else 1


def write_records(path: Path, count: int) -> None:
    """Write records of realistic shape and size, the same for the same count."""
    chance = random.Random(20_250_113)  # noqa: S311  a benchmark, not a secret
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            task = number % TASKS
            record = {
                "experiment_id": f"exp-2025-{number // RUNS_OF_AN_EXPERIMENT:05d}",
                "task_id": f"task-{task:05d}",
                "experiment_group": "code-chef" if number // TASKS % 2 else "baseline",
                "extension_version": f"1.{number // RUNS_OF_AN_EXPERIMENT % 40}.0",
                "source_run_id": f"run-{number:010d}",
                "repetition": 1 + number // (2 * TASKS) % 2,
                "recorded_at": (start + timedelta(seconds=17 * number)).isoformat(),
                "model_version": "qwen-coder-32b",
                "agent_name": "feature_dev",
                "scores": {
                    "accuracy": round(chance.random(), 4),
                    "completeness": round(chance.random(), 4),
                },
                "latency_ms": round(chance.lognormvariate(7, 0.6), 1),
                "tokens_used": chance.randrange(200, 9000),
                "cost_usd": round(chance.random() / 100, 6),
                "success": True,
                "metadata": {"category": "routing", "difficulty": task % 5},
            }
            file.write(json.dumps(record) + "\n")


def load(database: str, records: Path) -> Run:
    """Load through the command line."""
    command = [
        sys.executable, "-m", "loader", "ingest", "--file", str(records),
        "--summary-format", "json", "--database-url", database,
    ]  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        peaks: dict[int, float] = {}
        while process.poll() is None:
            peaks |= peaks_mb(process.pid)
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        assert process.stdout is not None  # noqa: S101
        output = process.stdout.read()
    if process.returncode:
        raise SystemExit(process.returncode)
    return Run(json.loads(output), seconds, sum(peaks.values()))


def peaks_mb(pid: int) -> dict[int, float]:
    """Return the peak memory of a process and of its children, by process; Linux only."""
    found = {}
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        for one in (pid, *map(int, children.split())):
            status = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            found[one] = int(peak[1]) / 1024 if peak else 0.0
    return found


def export_rows(database: str, rows: Path) -> None:
    """Write the rows as COPY takes them, so that the bare COPY formats nothing."""
    statement = f"copy (select {_ROW} from raw_evals.evaluation_runs) to stdout"
    with (
        connect(database) as connection,
        rows.open("wb") as file,
        connection.cursor().copy(statement.encode()) as copy,
    ):
        for block in copy:
            file.write(block)


def bare_copy(database: str, rows: Path) -> float:
    """Copy the rows into a table of the same columns without an index; return seconds."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table bare (like raw_evals.evaluation_runs including defaults)")
        connection.execute("checkpoint")
        started = time.perf_counter()
        with (
            rows.open("rb") as file,
            connection.cursor().copy(f"copy bare ({_ROW}) from stdin".encode()) as copy,
        ):
            while block := file.read(_BLOCK_BYTES):
                copy.write(block)
        seconds = time.perf_counter() - started
        connection.execute("drop table bare")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
