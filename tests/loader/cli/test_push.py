"""The verdict goes back to LangSmith: what is written, once, and by nobody's accident."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import sample_marts
import servers
from langsmith_server import KEY, Fault, LangSmithServer
from loader.cli import cli
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

# once is enough: a build takes a while
pytestmark = [pytest.mark.slow, pytest.mark.newest_server]
ARMS = {"base": ("baseline", "1.0.0"), "better": ("code-chef", "1.1.0"),
        "two of them": ("code-chef", "1.2.0")}  # fmt: skip
TASKS = 12
Row = dict[str, Any]


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[tuple[LangSmithServer, str]]:
    """Load three projects of one experiment, one of baselines alone, one file; build once."""
    from langsmith.utils import get_env_var  # slow to import

    with (
        pytest.MonkeyPatch.context() as patch,
        LangSmithServer() as server,
        servers.migrated(postgres_server) as url,
    ):
        for name in os.environ:
            if name.startswith(("LANGSMITH_", "LANGCHAIN_")):
                patch.delenv(name)
        patch.setenv("LANGSMITH_CONFIG_FILE", str(tmp_path_factory.getbasetemp() / "none.json"))
        patch.setenv("LANGSMITH_ENDPOINT", server.url)
        patch.setenv("LANGSMITH_API_KEY", KEY)
        patch.setenv("NO_PROXY", "*")
        get_env_var.cache_clear()
        for name, arm in ARMS.items():
            fill(server, name, *arm)
        fill(server, "two of them", "code-chef", "1.3.0")
        fill(server, "alone", "baseline", "1.0.0")
        path = tmp_path_factory.mktemp("files") / "files.jsonl"
        path.write_text("".join(
            json.dumps({"task_id": f"t{number}", "experiment_group": group, "accuracy": value,
                        "extension_version": "1.0.0"}) + "\n"
            for number in range(TASKS)
            for group, value in (("baseline", 0.5), ("code-chef", 0.6))
        ))  # fmt: skip
        for options in (
            *(("--project", name, "--experiment-id", "exp") for name in ARMS),
            ("--project", "alone", "--experiment-id", "alone"),
            ("--file", str(path), "--experiment-id", "files"),
        ):
            done = CliRunner().invoke(cli, ["ingest", "--database-url", url, *options])
            assert done.exit_code == 0, done.output
        sample_marts.build(url)
        yield server, url


def fill(server: LangSmithServer, name: str, group: str, version: str) -> None:
    known = next((row for row in server.sessions.values() if row["name"] == name), None)
    session = known or server.add_session(
        name, extra={"metadata": {"owner": "ana", "evalmart_old": 1}, "other": True}
    )
    begin = datetime.now(UTC) - timedelta(hours=2)
    for number in range(TASKS):
        about = {"task_id": f"t{number}", "experiment_group": group, "extension_version": version}
        run = server.add_run(session, begin + timedelta(minutes=number), extra={"metadata": about})
        better = 0.3 if group == "code-chef" else 0.0
        server.add_feedback(run, "accuracy", 0.4 + better + number / 100)


def push(url: str, *options: str) -> Result:
    return CliRunner().invoke(cli, ["push", "--database-url", url, *options])


def project(server: LangSmithServer, name: str) -> Row:
    return next(row for row in server.sessions.values() if row["name"] == name)


def verdicts(server: LangSmithServer) -> list[Row]:
    return [row for row in server.feedback.values() if row["key"] == "evalmart_verdict"]


ONE = ("--experiment", "exp", "--candidate-version", "1.1.0")


def test_metadata_is_merged_and_written_once(world: tuple[LangSmithServer, str]) -> None:
    server, url = world
    asked = len(server.log)
    done = push(url, *ONE, "--dry-run")
    assert done.exit_code == 0, done.output
    assert len(server.log) == asked
    planned = json.loads(done.stdout)
    assert planned["project"] == "better"
    done = push(url, *ONE)
    assert done.exit_code == 0, done.output
    session = project(server, "better")
    assert f"project better ({session['id']}) at {server.url}: evalmart_verdict" in done.stdout
    assert done.stdout.endswith("replaced\n")
    assert session["extra"]["other"] is True
    said = session["extra"]["metadata"]
    assert said == {"owner": "ana", **planned["metadata"]}
    with connect(url) as connection:
        mart = connection.execute(
            "select recommendation, headline, p_value, margin_pct from evals.experiment_summaries"
            " join evals.experiment_metric_comparisons using"
            " (experiment_id, candidate_group, candidate_version)"
            " where experiment_id = 'exp' and candidate_version = '1.1.0' and metric = 'accuracy'"
        ).fetchone()
    numbers = said["evalmart_metrics"]["accuracy"]
    assert mart == (
        said["evalmart_verdict"], said["evalmart_headline"], numbers["p_value"], numbers["margin"],
    )  # fmt: skip
    assert (numbers["improvement"], numbers["unit"]) == (pytest.approx(30), "points")
    assert said["evalmart_candidate"] == "code-chef 1.1.0"
    assert "evalmart_old" not in said
    assert project(server, "base")["extra"]["metadata"] == {"owner": "ana", "evalmart_old": 1}
    writes = [method for method, _ in server.log].count("PATCH")
    assert push(url, *ONE).stdout.endswith("unchanged\n")
    assert [method for method, _ in server.log].count("PATCH") == writes


def test_feedback_is_one_row_a_candidate_and_no_score_at_the_next_ingest(
    world: tuple[LangSmithServer, str],
) -> None:
    server, url = world
    for _ in range(2):
        done = push(url, "--experiment", "exp", "--to", "feedback")
        assert done.exit_code == 0, done.output
        assert len(verdicts(server)) == 3
    assert done.stdout.count(": unchanged\n") == 3
    row = next(
        row for row in verdicts(server) if row["session_id"] == project(server, "better")["id"]
    )
    assert (row["run_id"], row["score"], row["value"]) == (None, None, "deploy")
    assert (
        row["comment"].splitlines()[0]
        == (project(server, "better")["extra"]["metadata"]["evalmart_headline"])
    )
    row["value"] = "reject"
    assert ": replaced\n" in push(url, *ONE, "--to", "feedback").stdout
    assert (row["value"], len(verdicts(server))) == ("deploy", 3)
    asked = len(server.log)
    done = CliRunner().invoke(
        cli, ["ingest", "--database-url", url, "--project", "better", "--experiment-id", "exp",
              "--summary-format", "json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["loaded"], told["rejected"]) == (0, 0)
    assert "evalmart" not in done.output
    # nothing is new: only what can have changed was asked for
    assert 0 < len(server.log) - asked <= 6
    with connect(url) as connection:
        found = connection.execute("select count(*) from raw_evals.summary_scores").fetchone()
    assert found == (0,)


def test_what_cannot_be_written_is_said(
    world: tuple[LangSmithServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from langsmith.utils import get_env_var  # slow to import

    server, url = world
    before = json.dumps([server.sessions, server.feedback])
    for options, code, said in (
        (("--experiment", "exp"), 2, "project two of them holds the runs of several candidates"),
        (("--experiment", "exq"), 2, "no experiment 'exq' (did you mean exp?)"),
        (("--experiment", "exp", "--candidate-version", "9"), 2, "there are: code-chef 1."),
        (("--experiment", "files"), 2, "was loaded from LangSmith, so there is no project"),
        (("--experiment", "alone"), 5, "has no verdict on a candidate yet"),
    ):
        done = push(url, *options)
        assert (done.exit_code, said in done.output) == (code, True), done.output
    path = f"/sessions/{project(server, 'two of them')['id']}"
    version = ("--experiment", "exp", "--candidate-version", "1.2.0")
    server.faults = [Fault(path, after=1, status=403, body=b'{"detail": "Forbidden"}')]
    done = push(url, *version)
    assert done.exit_code == 2
    assert "lets this key read but not write to project" in done.output
    server.faults = [Fault(path, status=404)]
    assert "has no project" in push(url, *version).output
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    get_env_var.cache_clear()
    done = push(url, *version)
    assert done.exit_code == 2
    assert f"was read at {server.url}, and LANGSMITH_ENDPOINT leads to" in done.output
    assert json.dumps([server.sessions, server.feedback]) == before
