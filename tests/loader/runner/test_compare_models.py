"""Comparing models: from tasks to the verdict of the marts, against a real endpoint."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from chat_server import ChatServer, sums
from loader import compare_models
from loader.errors import ConfigurationError
from loader.runner.arms import Settings
from loader.runner.chat import ChatTarget
from loader.warehouse.connection import connect
from statistical_functions import create

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

_EVALUATORS = """
def right(outputs, reference_outputs):
    return {"key": "accuracy", "score": float(outputs["output"] == reference_outputs["output"])}
"""


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path / "home"))


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def right(outputs: Mapping[str, Any], reference_outputs: Mapping[str, Any]) -> dict[str, object]:
    return {"key": "accuracy", "score": float(outputs["output"] == reference_outputs["output"])}


def command(url: str, *arguments: str, cwd: Path, code: int = 0) -> str:
    """Run the command line; return its standard output."""
    result = subprocess.run(
        [sys.executable, "-m", "loader", *arguments],
        cwd=cwd,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def write_tasks(directory: Path, count: int) -> None:
    (directory / "tasks.jsonl").write_text("\n".join(map(json.dumps, sums(count))))
    (directory / "my_evaluators.py").write_text(_EVALUATORS)


def test_the_old_workflow_baseline_candidate_summary_export(
    database_url: str, chat: ChatServer, tmp_path: Path
) -> None:
    write_tasks(tmp_path, 30)
    common = [
        "--tasks", "tasks.jsonl", "--experiment-id", "exp-2025-01-001", "--endpoint", chat.url,
        "--evaluator", "my_evaluators:right", "--agent", "adder",
    ]  # fmt: skip
    baseline = [
        *common, "--experiment-group", "baseline", "--extension-version", "1.0.0",
        "--model", "weak",
    ]  # fmt: skip
    said = command(database_url, "run", *baseline, cwd=tmp_path)
    assert "30 of 30 missing runs made: 30 answered, 0 failed" in said
    said = command(database_url, "run", *baseline, cwd=tmp_path)
    assert "0 of 0 missing runs made, 30 were there already" in said
    candidate = ["--experiment-group", "code-chef", "--extension-version", "1.1.0"]
    command(database_url, "run", *common, *candidate, "--model", "good", cwd=tmp_path)
    command(database_url, "build", cwd=tmp_path)
    rows = json.loads(
        command(
            database_url, "summary", "--experiment", "exp-2025-01-001", "--format", "json",
            cwd=tmp_path,
        )
    )  # fmt: skip
    assert rows[0]["total_tasks"] == 30
    assert rows[0]["candidate_wins"] == 10
    assert rows[0]["baseline_wins"] == 0
    command(database_url, "export", "results.csv", "--agent", "adder", cwd=tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        exported = list(csv.DictReader(file))
    assert len(exported) == 60
    assert {row["model_version"] for row in exported} == {"weak", "good"}


def test_two_models_are_run_and_the_marts_decide(database_url: str, chat: ChatServer) -> None:
    arguments: dict[str, Any] = {
        "tasks": sums(60),
        "evaluators": [right],
        "experiment_id": "exp-1",
        "database_url": database_url,
        "settings": Settings(experiment_id="exp-1", concurrency=8),
    }
    comparison = compare_models(
        baseline=ChatTarget(chat.url, "weak"), candidate=ChatTarget(chat.url, "good"), **arguments
    )
    assert comparison.outcome.succeeded == 120
    assert comparison.summary.total_tasks == 60
    assert comparison.recommendation in ("deploy", "needs_review")
    assert comparison.primary is not None
    assert comparison.primary.mean_difference == pytest.approx(1 / 3)
    assert comparison.primary.cs_low is not None
    markdown = comparison.to_markdown()
    assert "| accuracy | decides |" in markdown
    told = markdown.replace("\\", "")
    parts = [
        str(comparison.summary.headline),
        *(reason.sentence for reason in comparison.reasons),
        "| metric | say |",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    written = json.loads(msgspec.json.encode(comparison))
    assert written["summary"]["experiment_id"] == "exp-1"
    assert (written["outcome"]["cost_usd"], written["outcome"]["unknown_costs"]) == (None, 120)
    with pytest.raises(ConfigurationError, match="has 60 runs of 60 tasks already"):
        compare_models(candidate=ChatTarget(chat.url, "good"), on_existing="refuse", **arguments)


def test_a_baseline_in_the_warehouse_is_used_and_not_run_again(
    database_url: str, chat: ChatServer, tmp_path: Path
) -> None:
    write_tasks(tmp_path, 20)
    common = [
        "--tasks", "tasks.jsonl", "--endpoint", chat.url, "--evaluator", "my_evaluators:right",
    ]  # fmt: skip
    command(
        database_url, "run", *common, "--experiment-id", "exp-1", "--experiment-group", "baseline",
        "--extension-version", "1.0.0", "--model", "weak", cwd=tmp_path,
    )  # fmt: skip
    said = command(
        database_url, "compare-models", *common, "--experiment-id", "exp-2", "--model", "good",
        "--baseline-experiment", "exp-1", "--format", "json", cwd=tmp_path,
    )  # fmt: skip
    assert len(chat.requests) == 40
    summary = json.loads(said.splitlines()[-1])["summary"]
    assert (summary["baseline_experiment_id"], summary["total_tasks"]) == ("exp-1", 20)


def test_without_a_baseline_there_is_nothing_to_compare(
    database_url: str, chat: ChatServer
) -> None:
    with pytest.raises(ConfigurationError, match="no results of the group baseline"):
        compare_models(
            candidate=ChatTarget(chat.url, "good"),
            tasks=sums(1),
            evaluators=[],
            experiment_id="exp-1",
            database_url=database_url,
        )
    assert chat.requests == []


def test_a_comparison_stops_when_it_is_decided(
    database_url: str, chat: ChatServer, tmp_path: Path
) -> None:
    with connect(database_url) as connection:
        create(connection)  # else a build of its own would create the functions
    chat.delay = 0.02  # a latency that hardly varies: as a guardrail it is soon kept
    write_tasks(tmp_path, 600)
    arguments = [
        "run", "--tasks", "tasks.jsonl", "--experiment-id", "exp-1",
        "--experiment-group", "code-chef", "--extension-version", "1.1.0",
        "--endpoint", chat.url, "--model", "good",
        "--baseline-endpoint", chat.url, "--baseline-model", "weak",
        "--evaluator", "my_evaluators:right", "--stop-when-decided", "--concurrency", "2",
    ]  # fmt: skip
    said = command(database_url, *arguments, cwd=tmp_path)
    assert "decided: the candidate is better on accuracy: +0.3" in said
    made = len(chat.requests)
    assert made < 600
    assert f"saved {1200 - made} runs" in said


def test_ctrl_c_leaves_a_consistent_experiment_and_says_how_to_go_on(
    database_url: str, chat: ChatServer, tmp_path: Path
) -> None:
    chat.delay = 0.02
    write_tasks(tmp_path, 400)
    arguments = [
        sys.executable, "-m", "loader", "run", "--tasks", "tasks.jsonl",
        "--experiment-id", "exp-1", "--experiment-group", "baseline",
        "--extension-version", "1.0.0", "--endpoint", chat.url, "--model", "weak",
        "--evaluator", "my_evaluators:right",
    ]  # fmt: skip
    environment = {**os.environ, "DATABASE_URL": database_url}
    for number in (signal.SIGINT, signal.SIGTERM):
        before = len(chat.requests)
        with subprocess.Popen(
            arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            while len(chat.requests) < before + 20:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "run the same command again" in said
    made = said.split(" of ")[0]
    with connect(database_url) as connection:
        row = connection.execute(
            "select count(*), count(distinct task_id), bool_and(scores ? 'accuracy') "
            "from raw_evals.evaluation_runs"
        ).fetchone()
    assert row is not None
    assert row[0] == row[1]
    assert row[0] >= int(made) + 10
    assert row[2] is True
