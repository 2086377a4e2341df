"""From LangSmith into a real warehouse: once, again, changed, broken off, and beside files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from langsmith_server import KEY, Fault, LangSmithServer, fill
from loader.cli import cli
from loader.cli.ingest import ingest
from loader.cli.langsmith import projects
from loader.errors import SourceUnavailable
from loader.ingest.load import load
from loader.ingest.summary import SetAside
from loader.records.checker import Defaults
from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loader.ingest.summary import LoadSummary

pytestmark = pytest.mark.newest_server

DEFAULTS = Defaults(experiment_id="exp", experiment_group="code-chef", extension_version="1.0.0")
Row = dict[str, Any]


def take(url: str, client: LangSmith, project: str = "large") -> LoadSummary:
    source = LangSmithSource(client, project, Wishes(DEFAULTS))
    with connect(url) as connection:
        return load(connection, source, read_vocabulary(), DEFAULTS, accept_feedback=True)


def select(url: str, statement: str) -> list[Row]:
    with connect(url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode()).fetchall()


@pytest.mark.backends("dual")
def test_ingesting_again_writes_nothing_until_something_changed(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 3, 2)
    waiting = stand_in.add_run(
        next(iter(stand_in.sessions.values())), status="pending",
        extra={"metadata": {"task_id": "late"}},
    )  # fmt: skip
    first = take(database_url, connect_langsmith())
    assert (first.read, first.loaded, first.unchanged, first.rejected) == (3, 3, 0, 0)
    again = take(database_url, connect_langsmith())
    assert (again.loaded, again.unchanged) == (0, 3)
    # the other run query says the same in other words
    stand_in.flags = {"sdb_query_enabled": False}
    other = take(database_url, connect_langsmith())
    assert (other.loaded, other.unchanged) == (0, 3)
    run = next(iter(stand_in.runs.values()))
    stand_in.add_feedback(run, "metric_0", 1.0)
    waiting.update(status="success", end_time=waiting["start_time"])
    changed = take(database_url, connect_langsmith())
    assert (changed.loaded, changed.unchanged) == (2, 2)
    versions = select(
        database_url,
        "select run_version, scores ->> 'metric_0' as score, jsonb_array_length(feedback) as rows"
        f" from raw_evals.evaluation_runs where source_run_id = '{run['id']}' order by 1",
    )
    assert [(v["run_version"], v["score"], v["rows"]) for v in versions] == [
        (1, "0.0", 2),
        (2, "1.0", 3),
    ]


@pytest.mark.backends("dual")
def test_the_route_changes_no_record(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = fill(stand_in, 20, 2)
    begin = datetime.now(UTC)
    for number, odd in enumerate([
        {"total_cost": None, "total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0},
        {"seconds": 0.0004999}, {"seconds": -1}, {"error": "boom", "status": "error"},
        {"tags": ["a"], "total_cost": "0.00052065"}, {"extra": None},
        {"inputs": {}, "outputs": None},
    ]):  # fmt: skip
        start = begin.replace(microsecond=number * 111_111 + 999)
        metadata = {"metadata": {"task_id": f"odd{number}", "n": 1.0}}
        example = str(uuid.uuid4())
        given = {"extra": metadata, "reference_example_id": example, **odd}
        stand_in.add_run(session, start, **given)
    counts = []
    for query in ("v1", "v2", "v1", "v2"):
        stand_in.flags = {"sdb_query_enabled": query == "v2"}
        summary = take(database_url, connect_langsmith())
        counts.append((summary.loaded, summary.unchanged, summary.rejected))
    assert counts == [(27, 0, 0), *[(0, 27, 0)] * 3]
    assert stand_in.counts()["/runs/query"] == stand_in.counts()["/api/v2/runs/query"] == 2


def test_raw_holds_the_address_of_every_run(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = fill(stand_in, 2, 1)
    client = connect_langsmith()
    take(database_url, client)
    rows = select(
        database_url,
        "select source_run_id, metadata #>> '{langsmith,url}' as url"
        " from raw_evals.evaluation_runs",
    )
    workspace, project = session["tenant_id"], session["id"]
    assert {row["source_run_id"]: row["url"] for row in rows} == {
        run: f"{client.web_address()}/o/{workspace}/projects/p/{project}/r/{run}?poll=true"
        for run in stand_in.runs
    }


@pytest.mark.backends("dual")
@pytest.mark.parametrize("path", ["/runs/query", "/feedback"])
def test_a_failure_on_a_later_page_commits_nothing(
    database_url: str,
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    path: str,
) -> None:
    stand_in.flags = {"sdb_query_enabled": False}
    fill(stand_in, 250, 1)
    stand_in.faults.append(Fault(path, after=2, times=99, status=500))
    with pytest.raises(SourceUnavailable):
        take(database_url, connect_langsmith())
    for table in ("loads", "evaluation_runs", "rejected_rows"):
        assert select(database_url, f"select * from raw_evals.{table}") == []
    stand_in.faults.clear()
    assert take(database_url, connect_langsmith()).loaded == 250


def test_what_contradicts_an_option_or_has_no_task_is_rejected(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", extra={"metadata": {"extension_version": "1.0.0"}})
    for metadata in (
        {"task_id": "fits", "experiment_group": "code-chef"},
        {"task_id": "other group", "experiment_group": "baseline"},
        {"task_id": "other version", "extension_version": "2.0.0"},
        {},
    ):
        run = stand_in.add_run(session, extra={"metadata": metadata})
        stand_in.add_feedback(run, "accuracy", 0.5)
    off_scale = stand_in.add_run(session, extra={"metadata": {"task_id": "off scale"}})
    stand_in.add_feedback(off_scale, "accuracy", 4)
    summary = take(database_url, connect_langsmith(), "one")
    assert (summary.read, summary.loaded, summary.rejected) == (5, 2, 3)
    assert {reason.reason_code: reason.count for reason in summary.reasons} == {
        "contradicts_option": 2,
        "missing_field": 1,
    }
    assert summary.set_aside == (SetAside("scores.accuracy", "off_scale", 1, 4.0, 4.0),)
    rejected = select(database_url, "select payload from raw_evals.rejected_rows")
    assert not any("private" in row["payload"] for row in rejected)


def test_the_ledger_says_what_was_read_and_holds_no_key(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", extra={"metadata": {"note": f"key {KEY}"}})
    run = stand_in.add_run(session, extra={"metadata": {"task_id": "t", "leak": KEY}})
    stand_in.add_feedback(run, "accuracy", 0.5, comment=f"used {KEY}")
    stand_in.add_run(session, extra={"metadata": {"leak": KEY}})
    stand_in.add_feedback(None, "overall", 0.9, session_id=session["id"])
    take(database_url, connect_langsmith(), "one")
    (entry,) = select(database_url, "select * from raw_evals.loads")
    said = entry["source_ref"]
    assert (entry["source"], entry["experiment_id"]) == ("langsmith", "exp")
    assert (said["project"], said["runs"], said["requests"]) == ("one", 2, 5)
    assert [item["score"] for item in said["summary_feedback"]] == [0.9]
    for table in ("loads", "evaluation_runs", "rejected_rows"):
        everything = select(database_url, f"select t::text as text from raw_evals.{table} as t")
        assert everything
        assert not any(KEY in row["text"] for row in everything)


def test_the_command_takes_a_project(database_url: str, stand_in: LangSmithServer) -> None:
    fill(stand_in, 3, 1)
    outcome = CliRunner().invoke(
        ingest,
        ["--project", "large", "--database-url", database_url, "--summary-format", "json",
         "--experiment-id", "exp", "--evaluator", f"{__name__}:second_only"],
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout)["loaded"] == 3
    assert stand_in.counts()["/examples"] == 0


def second_only(run: Any) -> dict[str, object]:  # noqa: ANN401
    if run.metadata["task_id"] != "t1":
        raise ValueError("not mine")
    return {"key": "mine", "score": 1}


@pytest.mark.backends("dual")
def test_an_evaluator_that_says_nothing_of_any_run_fails_the_load(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 3, 1)
    options = ["ingest", "--project", "large", "--database-url", database_url,
               "--experiment-id", "exp", "--evaluator", f"{__name__}:second_only"]  # fmt: skip
    more = ["--evaluator", "loader.evaluators:exact_match"]
    outcome = CliRunner().invoke(cli, [*options, *more])
    assert outcome.exit_code == 3, outcome.output
    assert (
        "evaluator loader.evaluators:exact_match gave no score of any of 3 runs "
        "(3 \u00d7 no reference outputs); the rest is loaded"
    ) in outcome.output
    assert "second_only gave" not in outcome.output
    (scores,) = select(
        database_url,
        "select scores from raw_evals.evaluation_runs where scores ->> 'mine' is not null",
    )
    assert scores["scores"] == {"exact_match": None, "metric_0": 0.1, "mine": 1}
    # what it asks for and there is not, before anything is read
    asked = len(stand_in.log)
    outcome = CliRunner().invoke(cli, [*options, "--evaluator", f"{__name__}:asking"])
    assert outcome.exit_code == 2, outcome.output
    assert "asking requires output (did you mean outputs" in outcome.output
    assert len(stand_in.log) == asked


def asking(output: object) -> bool:
    return bool(output)


def test_the_command_takes_every_experiment_of_a_dataset(
    database_url: str, stand_in: LangSmithServer
) -> None:
    dataset = stand_in.add_dataset("scenarios")
    for name in ("one", "two"):
        fill(stand_in, 2, 1, name)["reference_dataset_id"] = dataset["id"]
    outcome = CliRunner().invoke(
        ingest,
        ["--dataset", "scenarios", "--all-experiments", "--since", "2020-01-01",
         "--database-url", database_url],
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    loads = select(database_url, "select experiment_id from raw_evals.loads order by load_id")
    assert [entry["experiment_id"] for entry in loads] == ["one", "two"]


def test_the_projects_command_lists_what_there_is(stand_in: LangSmithServer) -> None:
    dataset = stand_in.add_dataset("scenarios")
    fill(stand_in, 2, 2, "first")["reference_dataset_id"] = dataset["id"]
    fill(stand_in, 1, 0, "second")
    outcome = CliRunner().invoke(projects, ["--format", "json"])
    assert outcome.exit_code == 0, outcome.output
    listed = json.loads(outcome.stdout)
    columns = ("project", "dataset", "runs", "feedback_keys")
    assert [tuple(row[column] for column in columns) for row in listed] == [
        ("second", None, 1, ""),
        ("first", "scenarios", 2, "metric_0, metric_1"),
    ]
    del stand_in.datasets[dataset["id"]]
    outcome = CliRunner().invoke(projects, ["--format", "json"])
    assert json.loads(outcome.stdout)[1]["dataset"] == dataset["id"], "gone: its id is what is left"
    stand_in.datasets[dataset["id"]] = dataset
    outcome = CliRunner().invoke(projects, ["--dataset", "scenarios"])
    assert "first" in outcome.stdout
    assert "second" not in outcome.stdout


# once is enough: a build takes a while, and other tests build on every server
@pytest.mark.slow
@pytest.mark.parametrize("postgres_server", ["18"], indirect=True)
def test_baseline_of_a_file_and_candidate_of_langsmith_meet_in_one_summary(
    empty_database_url: str, stand_in: LangSmithServer, tmp_path: Path
) -> None:
    session = stand_in.add_session("candidate")
    with (tmp_path / "baseline.jsonl").open("w") as lines:
        for number in range(12):
            lines.write(json.dumps({"task_id": f"t{number}", "accuracy": 0.5}) + "\n")
            for _ in range(3):
                metadata = {"metadata": {"task_id": f"t{number}"}}
                run = stand_in.add_run(session, extra=metadata)
                stand_in.add_feedback(run, "agent_routing_accuracy", 0.5 + number / 50)
    shared = ["--experiment-id", "exp", "--extension-version", "1.0.0"]
    baseline = ["--file", str(tmp_path / "baseline.jsonl"), "--experiment-group", "baseline"]
    cautious = ["--indirect-selection", "buildable"]  # tests of what is built, no others
    candidate = ["--project", "candidate", "--experiment-group", "code-chef"]
    environment = {
        **os.environ,
        "DATABASE_URL": empty_database_url,
        "EVALMART_HOME": str(tmp_path / "home"),
    }
    for command in (
        ["init"],
        ["ingest", *shared, *baseline],
        ["ingest", *shared, *candidate],
        ["build", "--quiet", "--select", "+experiment_summaries", *cautious],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "loader", *command],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (summary,) = select(empty_database_url, "select * from evals.experiment_summaries")
    assert (summary["experiment_id"], summary["candidate_group"]) == ("exp", "code-chef")
    assert summary["total_tasks"] == 12
    # a lead below the tie margin of 0.05 is a tie
    assert (summary["candidate_wins"], summary["ties"], summary["baseline_wins"]) == (9, 3, 0)
    assert float(summary["avg_accuracy_improvement_pct"]) == pytest.approx(11.0)
