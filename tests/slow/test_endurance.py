"""`benchmarks/endurance.py` in small: what it does at length, its programs do here at all.

Here each kind is tried once, on the newest server and directly. `make endurance` tries them by the
hundred and thousand, on every server, and what is killed and crowded also behind a pooler.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import servers

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]

_PROGRAM = servers.REPOSITORY / "benchmarks" / "endurance.py"


def endure(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(servers.REPOSITORY)},
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_was_acknowledged_outlives_kill_9_of_everything_that_writes() -> None:
    assert "nothing wrong" in endure("kills", "--count", "6")


def test_everybody_at_once_ends_as_one_after_the_other() -> None:
    assert "7 writers, 2 builds" in endure("writers", "--count", "2")


def test_every_answer_is_of_one_state_while_builds_are_killed() -> None:
    assert "'of a state'" in endure("states", "--count", "2")


def test_nothing_grows_but_data() -> None:
    assert "nothing wrong" in endure("cycles", "--count", "8")


@pytest.mark.skipif(bool(os.geteuid()), reason="only root can mount a small disk")
def test_a_full_disk_is_said_and_the_same_command_completes_with_room() -> None:
    assert "nothing wrong" in endure("full-disk", "--count", "2")
