"""The servers of the tests themselves: a run that is killed leaves none for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import servers

_RUN = """
import os
import servers
servers.begin_run()
servers.shared("18")
print(os.environ["EVALMART_TEST_RUN"], flush=True)
input()
servers.end_run()
"""


def _begin() -> tuple[subprocess.Popen[str], Path]:
    """Begin a run with a server; return its process and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def _server(folder: Path) -> Path:
    """Return the server's process, as a folder."""
    pid_file = folder / "18" / "data" / "postmaster.pid"
    assert servers.is_up(pid_file)
    return Path("/proc", pid_file.read_text(encoding="utf-8").split()[0])


def _is_over(process: Path) -> bool:
    try:
        return (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
def test_the_next_run_stops_the_servers_of_one_that_was_killed() -> None:
    killed, left = _begin()
    alive, other = _begin()
    with killed, alive:
        orphan, server = _server(left), _server(other)
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=30)
        assert not _is_over(orphan)
        third, _ = _begin()
        with third:
            assert _is_over(orphan)
            assert not left.exists()
            # one that is alive keeps what it has, and so does this one
            assert servers.is_up(other / "18" / "data" / "postmaster.pid")
            assert Path(os.environ["EVALMART_TEST_RUN"]).exists()
            third.communicate("\n", timeout=60)
        alive.communicate("\n", timeout=60)
        assert _is_over(server)
        assert not other.exists()
