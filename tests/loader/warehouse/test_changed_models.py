"""A build makes anew what another text of the project made, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import servers
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]

_PARTS = (
    "dbt_project.yml", "profiles.yml.example", "functions", "macros", "models", "seeds",
    "tests/generic", "tests/singular",
)  # fmt: skip
_NEW_COLUMN = """      - name: half_of_tasks
        data_type: double precision
        description: Half of them.
"""


_READERS = {"experiment_summaries", "experiment_segment_verdicts"}
"""Models of the ledger that read those, themselves or by way of others."""


def _loader(url: str, project: Path, *words: str, text: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "loader", words[0], "--database-url", url, *words[1:]],
        env={**os.environ, "EVALMART_PROJECT_DIR": str(project)},
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _copy_of_the_project(folder: Path) -> Path:
    for name in _PARTS:
        source, target = servers.REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
    return folder


def test_a_build_makes_anew_what_an_edit_changed_and_what_reads_it_and_nothing_else(
    database_url: str, tmp_path: Path
) -> None:
    project = _copy_of_the_project(tmp_path / "project")
    runs = [
        {"experiment_id": "e", "experiment_group": group, "extension_version": "1",
         "task_id": f"t-{task}", "scores": {"accuracy": 0.5}}
        for group in ("baseline", "code-chef") for task in range(3)
    ]  # fmt: skip
    lines = "\n".join(map(json.dumps, runs))
    _loader(database_url, project, "ingest", "--file", "-", "--format", "jsonl", text=lines)
    told = _loader(database_url, project, "build", "--quiet")
    assert "have changed" not in told

    # a column of a mart, and the text of a macro that another is made with
    results = project / "models" / "marts" / "results"
    _edit(results / "arm_summaries.sql", "    from arms\n)\n\nselect * from bounded",
          "        , total_tasks / 2.0::double precision as half_of_tasks\n"
          "    from arms\n)\n\nselect * from bounded")  # fmt: skip
    _edit(results / "arm_summaries.yml", "      - name: total_runs\n",
          f"{_NEW_COLUMN}      - name: total_runs\n")  # fmt: skip
    _edit(project / "macros" / "verdict" / "improvement_pct.sql", "100 *", "100.0 *")
    told = _loader(database_url, project, "build", "--quiet")
    assert "models have changed since they were built, and are built anew: 4." in told
    assert "an estimate by the last full build for 6 runs" in told

    with connect(database_url) as connection:
        rows = connection.execute("select half_of_tasks from evals.arm_summaries").fetchall()
        full = connection.execute(
            "select model from evals_staging.build_watermarks where full_build_number > 1"
        ).fetchall()
    assert rows == [(1.5,), (1.5,)]
    changed, readers = {"arm_summaries", "evaluation_comparison_view"}, _READERS
    assert {model for (model,) in full} == changed | readers

    # the next one has nothing to make anew
    told = _loader(database_url, project, "build", "--quiet", "--force")
    assert "have changed" not in told
