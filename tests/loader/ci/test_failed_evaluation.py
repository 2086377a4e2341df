"""What `evalmart ci` leaves where it fails before anything is loaded: nothing of an earlier run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

import servers
from loader.ci import outputs
from loader.ci.asked import Asked
from loader.ci.evaluate import Told, evaluate
from loader.ci.place import Said

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "a" * 40


class _Job(NamedTuple):
    done: subprocess.CompletedProcess[str]
    out: Path
    outputs: str


def _run(folder: Path, *arguments: str) -> _Job:
    """Run a job on GitHub in a folder where an earlier one left a verdict that passes."""
    out = folder / "evaluation"
    out.mkdir()
    for name in ("comment.md", "gate.md", "report.html", "verdict.json", "results.jsonl"):
        (out / name).write_text("pass", encoding="utf-8")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GITHUB_")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "loader", "ci", *arguments],
        cwd=folder,
        env={
            **kept, "PYTHONPATH": str(servers.REPOSITORY), "EVALMART_HOME": str(folder / "home"),
            "DATABASE_URL": "postgresql://127.0.0.1:1/none", "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/better",
            "GITHUB_OUTPUT": str(folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        },
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return _Job(done, out, (folder / "outputs").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--policy", "no-policy.yml"], 2, "no-policy.yml"),
        (["--segment", "agent"], 2, "--segment"),
        (["--", "--experiment-id", "x"], 2, "stands behind --"),
        ([], 4, "cannot connect to PostgreSQL"),
    ],
)
def test_a_step_that_fails_takes_the_place_of_an_earlier_verdict(
    tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    job = _run(tmp_path, *arguments)
    assert job.done.returncode == code, job.done.stderr
    verdict = json.loads((job.out / "verdict.json").read_text(encoding="utf-8"))
    assert (verdict["verdict"], verdict["exit_code"]) == ("error", code)
    assert told in verdict["headline"]
    comment = (job.out / "comment.md").read_text(encoding="utf-8")
    assert "not evaluated" in comment
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == comment
    # the job that comments runs where this output says something
    assert "\nerror\n" in job.outputs
    assert "::error title=evalmart%3A error::" in job.done.stdout
    # pages of another run would stand beside it; what may be an input stays
    assert {path.name for path in job.out.iterdir()} == {
        "comment.md", "verdict.json", "results.jsonl",
    }  # fmt: skip


def test_what_nobody_expected_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sentence: str) -> None:
        raise RuntimeError(sentence)

    monkeypatch.chdir(tmp_path)
    orders: list[str] = []
    environment = {
        "GITHUB_ACTIONS": "true", "GITHUB_SHA": HEAD, "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }  # fmt: skip
    asked = Asked(Said(branch="better"), out=tmp_path / "out")
    with pytest.raises(RuntimeError, match="experiment better-aaaaaaaaaaaa"):
        evaluate(asked, environment, Told(fail, orders.append), lambda _: 2)
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text(encoding="utf-8"))
    assert (verdict["verdict"], verdict["exit_code"]) == ("error", 70)
    assert orders == [outputs.order("error", "evalmart: error", verdict["headline"])]
