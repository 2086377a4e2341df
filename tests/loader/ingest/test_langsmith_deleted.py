"""Runs that LangSmith no longer has: told, and withdrawn only when that is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from langsmith_again import START, Project, add
from langsmith_server import Fault, fill
from loader.cli import cli

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer

pytestmark = [pytest.mark.newest_server, pytest.mark.backends("dual")]


@pytest.mark.backends("dual", "v1", "v2")
def test_deleted_runs_are_told_and_with_sync_withdrawn_and_come_back(
    database_url: str, stand_in: LangSmithServer
) -> None:
    stand_in.add_session("large", start_time=(START - timedelta(hours=1)).isoformat())
    runs = [add(stand_in, "t", minute) for minute in (1, 2, 3)]
    score = stand_in.add_feedback(runs[0], "accuracy", 1)
    project = Project(database_url)
    project.ingest()
    stand_in.remove_run(runs[0]["id"])
    told = project.command()
    assert f"Deleted in LangSmith: 1 run ({runs[0]['id']}); here every one still" in told.stderr
    # its place stays taken as long as it counts
    assert list(project.numbers().values()).count(1) == 1
    dry = project.command("--sync", "--dry-run")
    assert "takes back" not in dry.stderr
    done = project.command("--sync")
    assert "exp: entry" in done.stderr
    assert "takes back 1 run" in done.stderr
    assert project.numbers() == {runs[1]["id"]: 1, runs[2]["id"]: 2}
    [(names, reason)] = project.select("select source_run_ids, reason from raw_evals.withdrawals")
    assert (names, reason) == ([runs[0]["id"]], "deleted in LangSmith, project large")
    # nothing more to tell, and cheap again
    assert project.counts() == (0, 0, 0)
    assert project.counts("--sync") == (2, 0, 2)
    assert project.select("select count(*) from raw_evals.withdrawals") == [(1,)]
    # restored in the service: current again, without the withdrawal being lifted
    stand_in.runs[runs[0]["id"]] = runs[0]
    stand_in.feedback[score["id"]] = score
    stand_in.add_feedback(runs[1], "accuracy", 0)
    project.ingest()
    assert project.numbers() == {runs[0]["id"]: 1, runs[1]["id"]: 2, runs[2]["id"]: 3}
    assert project.counts("--full") == (3, 0, 3)


def test_a_lifted_withdrawal_counts_until_the_next_sync(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 3, 0)
    project = Project(database_url)
    project.ingest()
    gone = next(iter(stand_in.runs))
    stand_in.remove_run(gone)
    project.ingest("--sync")
    assert len(project.standing()) == 2
    [(entry,)] = project.select("select load_id from raw_evals.withdrawals")
    lift = ["withdraw", "--undo", str(entry), "--reason", "keep it", "--database-url", database_url]
    assert CliRunner().invoke(cli, lift).exit_code == 0
    assert len(project.standing()) == 3
    assert "Deleted in LangSmith: 1 run " in project.command().stderr
    project.ingest("--sync")
    assert len(project.standing()) == 2


@pytest.mark.parametrize(
    ("tier", "days", "is_deleted"),
    [
        (None, 12, True),
        (None, 20, False),
        ("shortlived", 20, False),
        ("longlived", 20, True),
        ("longlived", 420, False),
    ],
)
def test_what_is_past_retention_is_no_longer_kept_and_never_withdrawn(
    database_url: str, stand_in: LangSmithServer, tier: str | None, days: int, is_deleted: bool
) -> None:
    began = datetime.now(UTC) - timedelta(days=days)
    session = stand_in.add_session(
        "large", start_time=(began - timedelta(days=3)).isoformat(), trace_tier=tier
    )
    task = {"metadata": {"task_id": "t"}}
    # an older run that is still there: runs of that age are kept
    stand_in.add_run(session, began - timedelta(days=2), extra=task)
    old = stand_in.add_run(session, began, extra=task)
    stand_in.add_run(session, START, extra=task)
    project = Project(database_url)
    project.ingest()
    stand_in.remove_run(old["id"])
    told = project.command("--sync").stderr
    assert ("Deleted in LangSmith" in told) is is_deleted
    assert ("No longer kept by LangSmith: 1 run;" in told) is not is_deleted
    assert len(project.standing()) == (2 if is_deleted else 3)


def test_of_an_upgraded_tier_only_what_is_younger_than_a_kept_run_is_deleted(
    database_url: str, stand_in: LangSmithServer
) -> None:
    began = datetime.now(UTC) - timedelta(days=20)
    session = stand_in.add_session("large", start_time=began.isoformat(), trace_tier="shortlived")
    task = {"metadata": {"task_id": "t"}}
    old = stand_in.add_run(session, began, extra=task)
    stand_in.add_run(session, START, extra=task)
    project = Project(database_url)
    project.ingest()
    # its runs lived for two weeks; only then was the project given the longer tier
    stand_in.remove_run(old["id"])
    session["trace_tier"] = "longlived"
    assert "No longer kept" in project.command("--sync").stderr
    assert len(project.standing()) == 2


@pytest.mark.backends("v2")
def test_a_run_that_cannot_be_decoded_is_not_taken_for_deleted(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 2, 0)
    project = Project(database_url)
    project.ingest()
    body = b'{"items": [{"id": "a", "error": "\\ud800"}]}'
    stand_in.faults = [Fault("/runs/query", times=20, status=200, body=body)]
    told = project.command("--sync", exit_code=3).stderr
    assert "What was deleted cannot be told" in told
    assert "Deleted in LangSmith" not in told
    assert len(project.standing()) == 2
