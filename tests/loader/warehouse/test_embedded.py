"""The embedded server is known by its socket and its data, never by a process number."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

import servers
from loader.warehouse import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]


@pytest.fixture
def data() -> Iterator[Path]:
    """Give the data directory of a server that runs and holds a table."""
    with servers.short_directory() as directory:
        folder = directory / "data"
        with psycopg.connect(embedded.start(folder)) as connection:
            connection.execute("create table kept (id integer)")
        try:
            yield folder
        finally:
            embedded.stop(folder)


@pytest.fixture
def bystander(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that has nothing to do with it, of the user that the server runs as."""
    user = None if os.geteuid() else data.stat().st_uid
    with subprocess.Popen(["/bin/sleep", "300"], user=user) as process:
        yield process
        process.kill()


def pid_of(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])


def kill_and_wait(folder: Path) -> str:
    """Kill the server and all that it started, as a power cut does; return what it leaves."""
    left = (folder / "postmaster.pid").read_text(encoding="utf-8")
    os.kill(pid_of(folder), signal.SIGKILL)
    while embedded.processes(folder):
        time.sleep(0.01)
    return left


def let_it_name(folder: Path, pid: int) -> None:
    """Put a process number into everything that a killed server has left."""
    for path in (folder / "postmaster.pid", folder / ".s.PGSQL.5432.lock"):
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([str(pid), *lines[1:]]) + "\n", encoding="utf-8")


def assert_it_has_its_data(folder: Path) -> None:
    with psycopg.connect(embedded.start(folder)) as connection:
        connection.execute("select from kept")


def test_a_number_that_is_somebody_elses_by_now_neither_starts_nor_ends_anything(
    data: Path, bystander: subprocess.Popen[bytes]
) -> None:
    kill_and_wait(data)
    let_it_name(data, bystander.pid)
    assert embedded.running(data) is None
    assert not embedded.stop(data)
    assert bystander.poll() is None
    assert_it_has_its_data(data)
    assert pid_of(data) != bystander.pid
    assert embedded.stop(data)
    assert bystander.poll() is None


@pytest.mark.parametrize("pid", [1, os.getpid()], ids=["init", "this process"])
def test_a_restarted_container_has_the_old_numbers_again(data: Path, pid: int) -> None:
    kill_and_wait(data)
    let_it_name(data, pid)
    assert not embedded.stop(data)
    assert_it_has_its_data(data)


@pytest.mark.parametrize("kept", [0, 1, 3, 6], ids=lambda lines: f"{lines} lines")
def test_a_file_that_a_power_cut_left_torn_keeps_no_server_from_starting(
    data: Path, kept: int
) -> None:
    left = kill_and_wait(data)
    path = data / "postmaster.pid"
    path.write_text("".join(left.splitlines(keepends=True)[:kept]), encoding="utf-8")
    assert not embedded.stop(data)
    assert_it_has_its_data(data)


def test_the_number_of_another_server_is_not_taken_for_ones_own(data: Path) -> None:
    with servers.short_directory() as directory:
        other = directory / "data"
        conninfo = embedded.start(other)
        try:
            kill_and_wait(data)
            let_it_name(data, pid_of(other))
            assert not embedded.stop(data)
            assert_it_has_its_data(data)
            assert embedded.running(other) == conninfo
        finally:
            assert embedded.stop(other)


def test_a_copy_of_the_data_is_not_the_server_that_it_was_copied_from(data: Path) -> None:
    with servers.short_directory() as directory:
        copied = directory / "copied"
        copied.mkdir()
        for name in ("postmaster.pid", "PG_VERSION"):
            shutil.copy(data / name, copied / name)
        assert embedded.running(copied) is None
        assert not embedded.stop(copied)
        assert embedded.running(data)


def test_a_server_that_recovers_is_waited_for_and_not_started_beside(data: Path) -> None:
    pid = pid_of(data)
    path = data / "postmaster.pid"
    said = path.read_text(encoding="utf-8")
    path.write_text(said.replace("ready   ", "starting"), encoding="utf-8")
    assert embedded.running(data) is None
    program = (
        "import sys; from pathlib import Path; from loader.warehouse import embedded;"
        "print(embedded.start(Path(sys.argv[1])))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(data)], stdout=subprocess.PIPE, text=True
    ) as waiting:
        time.sleep(1.0)
        assert waiting.poll() is None
        path.write_text(said, encoding="utf-8")
        told, _ = waiting.communicate(timeout=30)
    assert told.strip() == embedded.running(data)
    assert pid_of(data) == pid
