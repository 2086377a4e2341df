"""Five thousand tasks with hostile names through `evalmart ci`, and all that it leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import hostile_texts
import media
import servers
from loader.ci import body
from loader.show import escape

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

NAME = hostile_texts.NAMES[0]
TASKS = 5_000


def write(path: Path) -> None:
    texts = hostile_texts.hostile_texts()
    names = [*texts, *(f"{NAME} {texts[place % len(texts)]} {place}" for place in range(TASKS))]
    with path.open("w", encoding="utf-8") as file:
        for place, task in enumerate(names[:TASKS]):
            for group in ("control", "treatment"):
                is_better = group == "treatment" and place % 3 != 0
                record = {
                    "task_id": task,
                    "experiment_group": hostile_texts.group_of(group),
                    "extension_version": f"1.0 {NAME}",
                    "agent_name": f"agent {NAME}",
                    "scores": {"accuracy": 1.0 if is_better else 0.0, f"key {NAME}": place % 2},
                    "error_message": None if is_better else texts[place % len(texts)],
                    "metadata": {"category": texts[place % 40]},
                    "recorded_at": "2025-01-01T00:00:00Z",
                }
                file.write(json.dumps(record) + "\n")


def test_nothing_that_is_left_is_live_or_too_long(postgres_server: str, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    write(records)
    event = tmp_path / "event.json"
    head = {"sha": "a" * 40, "ref": f"x{NAME}\n::error::y", "repo": {"full_name": "octo/shop"}}
    pull = {"number": 7, "head": head, "base": {"sha": "b" * 40, "repo": head["repo"]}}
    event.write_text(json.dumps({"pull_request": pull}), encoding="utf-8")
    with servers.migrated(postgres_server) as url:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "loader", "ci", "--baseline", "own",
             "--experiment", NAME, "--",
             "--file", str(records),
             "--control", hostile_texts.group_of("control"),
             "--treatment", hostile_texts.group_of("treatment")],
            cwd=tmp_path,
            env={
                **os.environ, "DATABASE_URL": url, "EVALMART_HOME": str(tmp_path / "home"),
                "PYTHONPATH": str(servers.REPOSITORY), "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_PATH": str(event), "GITHUB_OUTPUT": str(tmp_path / "outputs"),
                "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            },
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode in {0, 1, 5}, done.stdout + done.stderr
    out = tmp_path / "evaluation"
    verdict = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["experiment"] == NAME

    comment = (out / "comment.md").read_text(encoding="utf-8")
    assert len(body.marker("evalmart")) + 1 + len(comment) < body.LONGEST
    assert "<details><summary>How the gate decided</summary>" in comment
    assert list(body.faults(comment)) == []
    for name in ("comment.md", "gate.md"):
        text = (out / name).read_text(encoding="utf-8")
        assert list(media.markdown_faults(text)) == [], name
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == comment
    page = (out / "report.html").read_text(encoding="utf-8")
    assert list(media.html_faults(page)) == []

    # the log obeys nobody but us: a verdict, and why
    log = done.stdout + done.stderr
    orders = [line for line in log.splitlines() if re.match(r"\s*::", line)]
    assert orders
    assert all(
        re.match(
            r"::(notice|warning|error) title=evalmart%3A (pass|blocked|inconclusive|why)::", line
        )
        for line in orders
    )
    plain = "\n".join(line for line in log.splitlines() if line not in orders)
    assert list(media.terminal_faults(plain)) == []
    outputs = (tmp_path / "outputs").read_text(encoding="utf-8")
    ((end, shown),) = re.findall(r"^experiment<<(\S+)\n(.*)\n\1$", outputs, re.MULTILINE)
    assert shown == NAME
    assert end not in shown
    assert escape.terminal(NAME) in log
