"""`ingest --all-experiments` when one of them cannot be loaded: the others are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from langsmith_again import ARM, START
from langsmith_handler import now
from langsmith_server import Fault
from loader.cli import cli
from loader.sources.langsmith import Patience
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer

pytestmark = pytest.mark.newest_server

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after two quick attempts."""
    quick = Patience(attempts=2, first_wait=0.01, longest_wait=0.02)
    monkeypatch.setattr("loader.sources.langsmith.client.Patience", lambda: quick)


def experiments(stand_in: LangSmithServer, count: int) -> list[Row]:
    """Add experiments on one dataset with a run each; the first is the oldest."""
    dataset = stand_in.add_dataset("scenarios")
    example = stand_in.add_example(dataset, {}, {}, {})
    sessions = []
    for number in range(count):
        session = stand_in.add_session(
            f"e{number}", reference_dataset_id=dataset["id"],
            start_time=now(number - count),
            extra={"metadata": {"dataset_version": now()}},
        )  # fmt: skip
        stand_in.add_run(session, START, reference_example_id=example["id"])
        sessions.append(session)
    return sessions


def ingest(url: str, *options: str) -> Result:
    arguments = ("--dataset", "scenarios", "--all-experiments", *ARM[2:], *options)
    return CliRunner().invoke(cli, ["ingest", *arguments, "--database-url", url])


def loaded(url: str) -> list[str]:
    with connect(url) as connection:
        rows = connection.execute("select distinct experiment_id from raw_evals.evaluation_runs")
        return sorted(str(name) for (name,) in rows)


def test_one_that_fails_is_told_and_the_rest_is_loaded(
    database_url: str, stand_in: LangSmithServer
) -> None:
    experiments(stand_in, 4)
    # two requests each for what the first asks: its runs cannot be had
    stand_in.faults.append(Fault("/runs/query", times=2, status=500))
    result = ingest(database_url)
    assert result.exit_code == 3
    assert loaded(database_url) == ["e1", "e2", "e3"]
    assert "e0: not loaded: LangSmith at" in result.stderr
    assert "1 of 4 experiments could not be loaded: e0; why is told above" in result.stderr
    assert "e1: read 1 · loaded 1" in result.stdout
    again = ingest(database_url, "--summary-format", "json")
    assert again.exit_code == 0
    told = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(each["project"], each["loaded"], each["standing"]) for each in told] == [
        ("e0", 1, 0), ("e1", 0, 1), ("e2", 0, 1), ("e3", 0, 1)
    ]  # fmt: skip


def test_one_without_a_run_does_not_keep_the_others_back(
    database_url: str, stand_in: LangSmithServer
) -> None:
    first, *_ = experiments(stand_in, 3)
    stand_in.runs = {
        name: run for name, run in stand_in.runs.items() if run["session_id"] != first["id"]
    }
    result = ingest(database_url)
    assert result.exit_code == 3
    assert loaded(database_url) == ["e1", "e2"]
    assert "e0" in result.stderr


def test_a_service_that_answers_none_of_three_is_left_alone(
    database_url: str, stand_in: LangSmithServer
) -> None:
    experiments(stand_in, 6)
    stand_in.faults.append(Fault("/runs/query", after=1, times=1000, status=503))
    result = ingest(database_url)
    assert loaded(database_url) == ["e0"]
    assert result.exit_code == 3
    assert "the service does not answer; the rest is not tried" in result.stderr
    assert "3 of 6 experiments could not be loaded: e1, e2, e3" in result.stderr
    assert sum(path.endswith("/runs/query") for _, path in stand_in.log) == 7


def test_where_none_could_be_read_the_exit_code_is_that_of_the_service(
    database_url: str, stand_in: LangSmithServer
) -> None:
    experiments(stand_in, 2)
    stand_in.faults.append(Fault("/runs/query", times=1000, status=503))
    result = ingest(database_url)
    assert result.exit_code == 4
    assert loaded(database_url) == []
    assert "e0: not loaded" in result.stderr
    assert "e1: not loaded" in result.stderr


def test_a_service_that_is_away_is_the_failure_though_the_rest_is_not_tried(
    database_url: str, stand_in: LangSmithServer
) -> None:
    experiments(stand_in, 5)
    stand_in.faults.append(Fault("/runs/query", times=1000, status=503))
    result = ingest(database_url)
    assert "the rest is not tried" in result.stderr
    assert result.exit_code == 4
    assert loaded(database_url) == []


def test_a_refused_key_is_told_before_any_experiment(
    database_url: str, stand_in: LangSmithServer
) -> None:
    experiments(stand_in, 2)
    stand_in.key = "lsv2_pt_another_key"
    result = ingest(database_url)
    assert result.exit_code == 2
    assert "not loaded" not in result.stderr
