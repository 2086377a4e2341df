"""A folder of evalmart's own that may only be read: a sentence, and what can be done is done."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import programs
from loader.recording.spool import Header, SpoolWriter, target_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


def set_mode(folder: Path, mode: str) -> None:
    """Let a folder only be read, or be written again; root can write what no mode forbids."""
    if os.geteuid():
        folder.chmod(0o700 if mode == "rw" else 0o500)
        return
    done = subprocess.run(["/bin/mount", "-o", f"remount,{mode}", str(folder)], check=False)
    if done.returncode:
        programs.missing("root may not mount here, and no mode keeps it from writing")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a home that is a file system of its own, still writable."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("EVALMART_HOME", str(folder))
    if os.geteuid():
        yield folder
        folder.chmod(0o700)
        return
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        programs.missing("root may not mount here, and no mode keeps it from writing")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def run(*arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
    target = {"DATABASE_URL": url} if url else {}
    done = subprocess.run(
        [sys.executable, "-m", "loader", *arguments],
        env={**os.environ, **target},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout
    assert "unexpected" not in done.stderr
    return done


@pytest.mark.parametrize(
    "arguments",
    [
        ("build",),
        ("env",),
        ("summary", "--experiment", "e", "--as-of", "2025-01-01"),
        ("sample",),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_what_has_to_write_there_says_so(
    home: Path, database_url: str, arguments: tuple[str, ...]
) -> None:
    set_mode(home, "ro")
    done = run(*arguments, url=database_url)
    assert done.returncode == 2, done.stderr
    assert str(home) in done.stderr
    if arguments != ("sample",):
        assert "set EVALMART_HOME to a folder that can be written" in done.stderr


@pytest.mark.parametrize("arguments", [("experiments",), ("init",), ("stop",)])
def test_the_embedded_server_says_so_too(home: Path, arguments: tuple[str, ...]) -> None:
    set_mode(home, "ro")
    done = run(*arguments)
    if arguments == ("stop",):
        assert done.stdout == "no embedded server is running\n"
        return
    assert done.returncode == 2
    assert f"cannot write to {home}: " in done.stderr


def test_env_needs_to_write_only_once(home: Path, database_url: str) -> None:
    before = run("env", url=database_url)
    set_mode(home, "ro")
    after = run("env", url=database_url)
    assert after.returncode == 0, after.stderr
    assert before.stdout == after.stdout


def test_what_waits_in_the_spool_keeps_no_command_from_its_work(
    home: Path, database_url: str
) -> None:
    record = (
        b'{"experiment_id": "e", "task_id": "t", "experiment_group": "baseline", '
        b'"extension_version": "1", "source_run_id": "r"}'
    )
    SpoolWriter(Header("recorder", target_name(database_url))).append([record])
    set_mode(home, "ro")
    query = ["withdraw", "--list"]
    assert run(*query, url=database_url).returncode == 0
    set_mode(home, "rw")
    assert run(*query, url=database_url).returncode == 0
    assert list((home / "spool").glob("*.spool")) == []


_RECORD = """
from loader import Recorder
from loader.errors import WarehouseUnavailable

recorder = Recorder(
    experiment_id="e", experiment_group="baseline", extension_version="1",
    database_url="host=/nonexistent dbname=evals", exit_seconds=0.1,
)
recorder.record(task_id="t")
try:
    recorder.flush()
except WarehouseUnavailable as error:
    print(error)
"""


def test_a_recorder_says_where_it_could_keep_nothing(home: Path) -> None:
    set_mode(home, "ro")
    done = subprocess.run(
        [sys.executable, "-c", _RECORD], capture_output=True, text=True, check=False
    )
    assert "1 recorded runs are neither in the database" in done.stdout
    assert "EVALMART_HOME" in done.stdout
