"""Files of agent benchmarks, loaded by the command line into a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ingest_support import select
from loader.cli import cli
from tool_files import harbor, swe_bench, tau_bench

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


def ingest(database_url: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Load; return what became of the files of each kind."""
    command = ["ingest", *arguments, "--summary-format", "json", "--database-url", database_url]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    return {each["source"]: each for each in told}


def test_a_folder_of_three_benchmarks_loads_each_run_once(
    database_url: str, tmp_path: Path
) -> None:
    harbor.write(tmp_path / "harbor", 12)
    swe_bench.write(tmp_path / "swe", 10)
    tau_bench.write(tmp_path / "tau", 16)
    first = ingest(database_url, str(tmp_path), "--experiment-group", "baseline")
    assert {kind: told["loaded"] for kind, told in first.items()} == {
        "harbor": 12,
        "swe-bench": 10,
        "tau-bench": 16,
    }
    again = ingest(database_url, str(tmp_path), "--experiment-group", "baseline", "--again")
    assert {kind: (told["loaded"], told["unchanged"]) for kind, told in again.items()} == {
        "harbor": (0, 12),
        "swe-bench": (0, 10),
        "tau-bench": (0, 16),
    }
    plans = select(
        database_url,
        "select experiment_id, planned_tasks, planned_repetitions from raw_evals.arm_plans"
        " group by 1, 2, 3 order by 1, 2, 3",
    )
    assert plans == [
        (harbor.DATASET, 4, 1),  # the job, whose agent has a version
        (harbor.DATASET, 4, 2),  # the run before Harbor
        ("swe-bench", 13, None),
        ("tau2-bench-airline", 2, 4),
    ]


def test_what_is_scored_anew_is_a_new_version_of_the_same_runs(
    database_url: str, tmp_path: Path
) -> None:
    (path, _) = tau_bench.write(tmp_path, 16)
    arm = ("--map", "experiment_group=domain", "--control", "airline")
    assert ingest(database_url, str(path), *arm)["tau-bench"]["loaded"] == 8
    content = json.loads(path.read_text(encoding="utf-8"))
    for simulation in content:
        simulation["reward"] = 1 - simulation["reward"]
    path.write_text(json.dumps(content), encoding="utf-8")
    told = ingest(database_url, str(path), *arm)["tau-bench"]
    assert (told["loaded"], told["replaced"]) == (8, 8)
    [(runs, versions, repetitions)] = select(
        database_url,
        "select count(distinct source_run_id), count(*), count(distinct (task_id, repetition))"
        " from raw_evals.evaluation_runs where experiment_group = 'airline'",
    )
    assert (runs, versions, repetitions) == (8, 16, 8)


def test_an_arm_that_no_file_says_is_asked_for_with_the_names_that_are_there(
    database_url: str, tmp_path: Path
) -> None:
    one = swe_bench.report({"a__b-1": "resolved"})
    for name in ("old.night", "new.night"):
        (tmp_path / f"{name}.json").write_text(json.dumps(one), encoding="utf-8")
    command = ["ingest", str(tmp_path), "--database-url", database_url]
    asked = CliRunner().invoke(cli, command)
    assert asked.exit_code == 2
    assert "model: " in asked.output
    assert "--map experiment_group=model" in asked.output
    told = ingest(
        database_url, str(tmp_path), "--map", "experiment_group=model",
        "--control", "old", "--treatment", "new",
    )["swe-bench"]  # fmt: skip
    assert told["loaded"] == 2
