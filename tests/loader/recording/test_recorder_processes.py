"""The recorder in programs that end badly, and databases that do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import servers
from loader import Recorder
from loader.recording.spool import waiting
from loader.warehouse import embedded as server
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate
from recorders import ARM, tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

_PROGRAM = """
import os, signal, sys, time
from loader import Recorder

# a shell that runs these tests in the background has them ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
recorder = Recorder(
    experiment_id="exp-1", experiment_group="code-chef", extension_version="1.2.3",
    database_url=sys.argv[1], flush_seconds=0.05,
)
"""
_FLUSH_FOR_EVER = """
for number in range(1_000_000):
    recorder.record(task_id=f"t-{number}")
    if number % 20 == 19:
        recorder.flush()
        print(number, flush=True)
"""


def start(program: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM + program, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def acknowledged_until_killed(url: str, at: int) -> int:
    """Let a program record; kill -9 it, return the last task whose flush had returned."""
    last = -1
    with start(_FLUSH_FOR_EVER, url) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = int(line)
            if last >= at:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    return last


def test_what_flush_acknowledged_survives_kill_9_exactly_once(database_url: str) -> None:
    last = acknowledged_until_killed(database_url, 199)
    with Recorder(**ARM, database_url=database_url) as recorder:
        recorder.record(task_id="next")
    there = tasks(database_url)
    assert len(there) == len(set(there))
    assert {f"t-{number}" for number in range(last + 1)} | {"next"} <= set(there)


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(3)",
        "raise RuntimeError('broken')",
        "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGHUP); time.sleep(60)",
    ],
    ids=["end", "exit", "error", "SIGTERM", "SIGINT", "SIGHUP"],
)
def test_a_program_that_ends_delivers_first(database_url: str, end: str) -> None:
    program = f"for number in range(500): recorder.record(task_id=f't-{{number}}')\n{end}\n"
    with start(program, database_url) as process:
        process.communicate(timeout=30)
    if "SIGTERM" in end:
        assert process.returncode == -signal.SIGTERM
    assert len(tasks(database_url)) == 500


@pytest.fixture
def mortal_server() -> Iterator[tuple[str, Path]]:
    """Give a server of its own that the test may kill, and its data directory."""
    with servers.short_directory() as directory:
        data = directory / "data"
        url = server.start(data)
        with connect(url) as connection:
            migrate(connection)
        try:
            yield url, data
        finally:
            server.stop(data)


def test_a_database_killed_in_the_middle_costs_nothing(mortal_server: tuple[str, Path]) -> None:
    url, data = mortal_server
    with Recorder(**ARM, database_url=url, flush_seconds=0.05, flush_records=50) as recorder:
        for number in range(300):
            recorder.record(task_id=f"t-{number}")
        recorder.flush()
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        for number in range(300, 3000):
            recorder.record(task_id=f"t-{number}")
            if number == 500:
                crash(postmaster)
        recorder.flush()
        assert recorder.loaded_count >= 300
        assert recorder.spooled_count > 0
    assert waiting() != []
    assert server.start(data) == url
    with Recorder(**ARM, database_url=url) as recorder:
        recorder.record(task_id="back")
    assert waiting() == []
    there = tasks(url)
    assert len(there) == len(set(there)) == 3001


def test_kill_9_without_a_database_loses_nothing_that_was_acknowledged(
    mortal_server: tuple[str, Path],
) -> None:
    url, data = mortal_server
    server.stop(data)
    last = acknowledged_until_killed(url, 199)
    assert server.start(data) == url
    with Recorder(**ARM, database_url=url) as recorder:
        recorder.record(task_id="back")
    there = tasks(url)
    assert len(there) == len(set(there))
    assert {f"t-{number}" for number in range(last + 1)} | {"back"} <= set(there)
    assert waiting() == []


def crash(postmaster: int) -> None:
    """End a server at once, without a checkpoint; wait until it is gone."""
    os.kill(postmaster, signal.SIGQUIT)
    deadline = time.monotonic() + 10
    process = Path(f"/proc/{postmaster}/cmdline")
    while process.exists() and process.read_bytes():  # empty, of one that nobody waited for
        assert time.monotonic() < deadline
        time.sleep(0.02)
