"""From an ordinary file to a verdict: three commands, nothing edited, nothing there before."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import servers
from foreign_files import ordinary

if TYPE_CHECKING:
    from pathlib import Path

_LIBPQ = ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE", "PGUSER")


@pytest.mark.newest_server
@pytest.mark.slow
def test_three_commands_lead_from_a_file_to_a_verdict(tmp_path: Path) -> None:
    [file] = ordinary(tasks=60).write(tmp_path)
    with servers.short_directory() as home:
        environment = {name: value for name, value in os.environ.items() if name not in _LIBPQ}
        environment["EVALMART_HOME"] = str(home)

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "loader", *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        try:
            assert "read 120 · loaded 120" in run("ingest", "--guess", "--yes", str(file))
            run("build", "--quiet")
            told = run("summary", "--experiment", "results")
        finally:
            run("stop")
    assert "Recommendation: deploy" in told
    assert "Better in correct" in told
    assert "judge_score" in told
