"""A LangSmith project that is ingested again: what is asked for, told, withdrawn and kept."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import servers
from langsmith_again import ARM, START, Project, add
from langsmith_handler import now
from langsmith_server import fill
from loader.cli import cli

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer

pytestmark = [pytest.mark.newest_server, pytest.mark.backends("dual")]
EVERYWHERE = pytest.mark.backends("dual", "v1", "v2")

Row = dict[str, Any]


@EVERYWHERE
def test_an_unchanged_project_costs_a_handful_of_requests(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 250, 2)
    project = Project(database_url)
    assert project.counts() == (250, 250, 0)
    before, loads = len(stand_in.log), project.select("select count(*) from raw_evals.loads")
    told = project.ingest()
    assert (told["read"], told["standing"], told["since_load"]) == (0, 250, 1)
    assert told["load_id"] is None
    assert len(stand_in.log) - before <= 6
    assert project.select("select count(*) from raw_evals.loads") == loads
    text = project.command()
    assert "read 0 · loaded 0" in text.stdout
    assert "nothing new since load 1, 250 runs stand as they were" in text.stdout
    assert project.counts("--full") == (250, 0, 250)


@EVERYWHERE
def test_one_new_run_and_one_new_score_are_all_that_is_loaded(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 150, 3)
    project = Project(database_url)
    project.ingest()
    new = add(stand_in, "t7", 400)
    stand_in.add_feedback(new, "metric_0", 1)
    touched = next(iter(stand_in.runs.values()))
    stand_in.add_feedback(touched, "metric_1", 0.7, source="app", comment="I read it")
    before = len(stand_in.log)
    told = project.ingest()
    assert (told["read"], told["loaded"], told["replaced"], told["standing"]) == (2, 2, 1, 149)
    # one more than an unchanged project: the run that was scored; v1 has a second page
    assert len(stand_in.log) - before <= 7 + (stand_in.backend == "v1")
    assert project.reference()["reading"] == "changes"
    [(kept, scores)] = project.select(
        "select jsonb_array_length(feedback), scores from raw_evals.evaluation_runs"
        f" where source_run_id = '{touched['id']}' order by run_version desc limit 1"
    )
    assert (kept, scores["metric_1"]) == (4, 0.7)
    assert project.counts() == (0, 0, 0)
    assert project.counts("--full") == (151, 0, 151)


@EVERYWHERE
def test_a_run_that_began_earlier_moves_the_numbers_after_it(
    database_url: str, stand_in: LangSmithServer
) -> None:
    stand_in.add_session("large", start_time=(START - timedelta(hours=1)).isoformat())
    ids = [add(stand_in, "t", minute)["id"] for minute in (10, 20, 30)]
    project = Project(database_url)
    project.ingest()
    between = add(stand_in, "t", 15)["id"]
    told = project.ingest()
    assert (told["loaded"], told["replaced"], told["standing"]) == (3, 2, 1)
    assert project.numbers() == {ids[0]: 1, between: 2, ids[1]: 3, ids[2]: 4}
    assert project.counts("--full") == (4, 0, 4)


@EVERYWHERE
def test_what_was_not_finished_is_asked_for_until_it_is(
    database_url: str, stand_in: LangSmithServer
) -> None:
    stand_in.add_session("large", start_time=(START - timedelta(hours=1)).isoformat())
    add(stand_in, "done", 1)
    waiting = add(stand_in, "waiting", 2, status="pending", total_tokens=None)
    stand_in.add_feedback(waiting, "early", 1)
    project = Project(database_url)
    assert project.counts() == (1, 1, 0)
    assert "not finished: 1 run;" in project.command().stderr
    waiting.update(status="success", end_time=waiting["start_time"], total_tokens=7)
    assert project.counts() == (1, 1, 0)
    [(scores, tokens)] = project.select(
        "select scores, tokens_used from raw_evals.evaluation_runs where task_id = 'waiting'"
    )
    assert (scores, tokens) == ({"early": 1.0}, 7)
    assert project.counts("--full") == (2, 0, 2)


def test_whatever_decides_what_becomes_of_a_run_has_everything_read_again(
    database_url: str, stand_in: LangSmithServer
) -> None:
    session = fill(stand_in, 5, 1)
    project = Project(database_url)
    project.ingest()

    def read(*options: str) -> int:
        return int(project.ingest(*options)["read"])

    assert read("--scale", "metric_0=0:10") == 5
    assert read("--scale", "metric_0=0:10") == 0
    assert read("--with-io") == 5
    assert read() == 5
    assert read() == 0
    assert read("--control", "code-chef") == 5
    assert len(project.select("select role from raw_evals.experiment_group_roles")) == 1
    assert read("--control", "code-chef") == 0
    assert read() == 5
    # an evaluation that ends writes what it ran on
    session["extra"] = {"metadata": {**session["extra"]["metadata"], "dataset_version": "v2"}}
    assert read() == 5
    assert read() == 0
    project.command("--strict")  # nothing new is nothing to refuse
    assert read("--full") == 5


def test_what_was_withdrawn_by_hand_is_loaded_again(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 3, 1)
    project = Project(database_url)
    first = project.ingest()
    taken = CliRunner().invoke(
        cli,
        ["withdraw", "--load", str(first["load_id"]), "--reason", "x", "--database-url",
         database_url],
    )  # fmt: skip
    assert taken.exit_code == 0
    assert project.counts() == (3, 3, 0)
    assert "withdrawn" in project.reference()["read_in_full_because"]
    assert project.counts() == (0, 0, 0)


def test_rejected_runs_that_are_not_kept_have_everything_read_again(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 4, 1)
    [session] = stand_in.sessions.values()
    stand_in.add_run(session, START + timedelta(minutes=1))
    project = Project(database_url)
    told = project.ingest("--keep-rejects", "0", exit_code=3)  # one names no task
    assert (told["loaded"], told["rejected"], told["rejects_left_out"]) == (4, 1, 1)
    told = project.ingest(exit_code=3)
    assert (told["read"], told["unchanged"], told["rejected"]) == (5, 4, 1)
    assert "not kept" in project.reference()["read_in_full_because"]
    assert project.counts() == (0, 0, 0)


def test_a_look_that_found_only_other_books_is_kept_and_the_next_is_cheap(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 4, 1)
    project = Project(database_url)
    project.ingest()
    add(stand_in, "late", 400, status="pending")
    told = project.ingest()
    assert (told["read"], told["load_id"]) == (0, 2)
    assert project.reference()["look"]["runs"] == 5
    assert project.ingest()["load_id"] is None


@pytest.mark.parametrize("dry", ["--dry-run", "--strict"])
def test_what_writes_nothing_leaves_the_change_for_the_next(
    database_url: str, stand_in: LangSmithServer, dry: str
) -> None:
    fill(stand_in, 4, 1)
    project = Project(database_url)
    project.ingest()
    good = add(stand_in, "late", 400)
    [session] = stand_in.sessions.values()
    bad = stand_in.add_run(session, START + timedelta(minutes=401))
    told = project.ingest(dry, exit_code=3)
    assert (told["read"], told["loaded"]) == (2, 1 if dry == "--dry-run" else 0)
    told = project.ingest(exit_code=3)  # one of two names no task
    assert (told["loaded"], told["rejected"]) == (1, 1)
    assert good["id"] in project.numbers()
    again = project.command()
    assert "Rejected before, and unchanged: 1 run;" in again.stderr
    bad["extra"] = {"metadata": {"task_id": "named"}}
    assert project.counts() == (0, 0, 0)
    assert project.counts("--full") == (6, 1, 5)


def test_two_ingests_at_the_same_time_lose_nothing(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 30, 2)
    project = Project(database_url)
    project.ingest()
    for minute in range(400, 420):
        stand_in.add_feedback(add(stand_in, "t", minute), "metric_0", 0.5)
    arguments = [sys.executable, "-m", "loader", "ingest", "--project", "large", *ARM,
                 "--database-url", database_url]  # fmt: skip
    both = [subprocess.Popen(arguments, cwd=servers.REPOSITORY) for _ in range(2)]
    assert [each.wait(120) for each in both] == [0, 0]
    assert len(project.standing()) == 50
    assert project.counts()[1] == 0
    assert project.counts("--full") == (50, 0, 50)


# ---- windows ----


@EVERYWHERE
def test_a_window_holds_the_runs_that_began_in_it(
    database_url: str, stand_in: LangSmithServer
) -> None:
    session = stand_in.add_session(
        "large", start_time=(datetime.now(UTC) - timedelta(days=9)).isoformat()
    )
    runs = {}
    for days in (8, 3, 2, 0.5):
        run = stand_in.add_run(
            session,
            datetime.now(UTC) - timedelta(days=days),
            extra={"metadata": {"task_id": "t"}},
        )
        stand_in.add_feedback(run, "accuracy", 1, created_at=now(-days))
        runs[days] = run["id"]
    project = Project(database_url)
    assert project.counts("--last", "24h") == (1, 1, 0)
    assert project.numbers() == {runs[0.5]: 1}
    day = (datetime.now(UTC) - timedelta(days=4)).strftime("%Y-%m-%dT%H:%M:%S")
    until = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    # two earlier runs: the number of the one that is known moves
    assert project.counts("--since", day, "--until", until) == (3, 3, 0)
    assert project.numbers() == {runs[3]: 1, runs[2]: 2, runs[0.5]: 3}
    assert set(project.reference()["window"]) == {"since", "until"}
    # a window says nothing of what lies outside it, and is no look to go on from
    told = project.ingest("--last", "60m")
    assert (told["read"], told["standing"]) == (0, 3)
    assert project.counts() == (4, 4, 0)
    assert project.numbers() == {runs[8]: 1, runs[3]: 2, runs[2]: 3, runs[0.5]: 4}
    [(scores,)] = project.select("select count(*) from raw_evals.evaluation_runs"
                                 " where scores = '{}'")  # fmt: skip
    assert scores == 0
    assert project.counts() == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--last", "24"), "24 is no length of time; write 24h, 7d or 90m"),
        (("--last", "-1h"), "no length of time"),
        (("--last", "99999999999d"), "no length of time"),
        (("--last", "1d", "--since", "2026-01-01"), "both say when to begin"),
        (("--last", "1d", "--full"), "--full and --sync read everything"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "not before --until"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(
    database_url: str, stand_in: LangSmithServer, options: tuple[str, ...], said: str
) -> None:
    fill(stand_in, 1, 0)
    assert said in Project(database_url).command(*options, exit_code=2).stderr


def test_an_experiment_on_a_dataset_is_read_whole(
    database_url: str, stand_in: LangSmithServer
) -> None:
    dataset = stand_in.add_dataset("d")
    fill(stand_in, 1, 0)["reference_dataset_id"] = dataset["id"]
    told = Project(database_url).command("--last", "1d", exit_code=2).stderr
    assert "is an experiment on a dataset, which is read whole" in told


# ---- what is said of keys, and of the whole ----


def test_a_key_that_means_something_else_now_has_everything_read_again(
    database_url: str, stand_in: LangSmithServer
) -> None:
    fill(stand_in, 4, 1)
    stand_in.add_config("metric_0", type="continuous", min=0, max=1)
    project = Project(database_url)
    project.ingest()
    assert project.counts() == (0, 0, 0)
    stand_in.add_config("metric_0", type="continuous", min=0, max=10)
    assert project.counts() == (4, 4, 0)
    assert "what its keys mean" in project.reference()["read_in_full_because"]
    assert project.counts() == (0, 0, 0)


def test_a_new_score_of_the_whole_is_kept_though_no_run_changed(
    database_url: str, stand_in: LangSmithServer
) -> None:
    session = fill(stand_in, 4, 1)
    stand_in.add_feedback(None, "overall", 0.5, session_id=session["id"])
    project = Project(database_url)
    project.ingest()
    stand_in.add_feedback(None, "spread", 0.1, session_id=session["id"])
    told = project.ingest()
    assert (told["read"], told["load_id"]) == (0, 2)
    kept = "select evaluator_key, load_id from raw_evals.summary_scores order by 2, 1"
    assert project.select(kept) == [("overall", 1), ("spread", 2)]
    assert project.ingest()["load_id"] is None
    assert len(project.reference()["summary_feedback"]) == 2
    assert project.counts("--full") == (4, 0, 4)
    assert len(project.select(kept)) == 2


def test_feedback_on_runs_below_the_root_does_not_have_all_read_again(
    database_url: str, stand_in: LangSmithServer
) -> None:
    session = fill(stand_in, 4, 1)
    root = next(iter(stand_in.runs.values()))
    child = stand_in.add_run(session, START, parent_run_id=root["id"], trace_id=root["id"])
    stand_in.add_feedback(child, "metric_0", 0.5)
    project = Project(database_url)
    project.ingest()
    assert project.counts() == (0, 0, 0)
    add(stand_in, "late", 400)
    stand_in.add_feedback(child, "metric_0", 0.25)
    assert project.counts() == (1, 1, 0)
    assert project.reference()["reading"] == "changes"
    assert project.counts("--full") == (5, 0, 5)


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_a_score_that_was_edited_or_deleted_long_after_is_found(
    database_url: str,
    stand_in: LangSmithServer,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    monkeypatch.setattr("loader.sources.langsmith.feedback.PAGE", 5)
    stand_in.add_session("large", start_time=now(-9))
    runs = [add(stand_in, f"t{number}", number) for number in range(20)]
    rows = [stand_in.add_feedback(run, "accuracy", 1, created_at=now(-5)) for run in runs]
    project = Project(database_url)
    project.ingest()
    if change == "edit":
        rows[0].update(score=0, modified_at=now())
    else:
        stand_in.remove_feedback(rows[0]["id"])
    assert project.counts() == (20, 1, 19)
    assert "other feedback than was found" in project.reference()["read_in_full_because"]
    assert project.counts() == (0, 0, 0)
