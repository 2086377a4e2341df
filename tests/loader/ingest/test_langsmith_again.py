"""A LangSmith project that is ingested again: only what changed is asked for, and nothing missed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import servers
from langsmith_again import Project
from langsmith_handler import now
from langsmith_server import fill
from loader.sources.langsmith import feedback, wire

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer

pytestmark = pytest.mark.newest_server

Row = dict[str, Any]
START = datetime.now(UTC) - timedelta(hours=5)


def serve(stand_in: LangSmithServer, backend: str) -> None:
    """Let the stand-in answer one run query only, or both."""
    stand_in.backend = backend
    stand_in.flags = {"ch_query_enabled": backend != "v2", "sdb_query_enabled": backend != "v1"}


def add(stand_in: LangSmithServer, task: str, minute: float, **given: Any) -> Row:  # noqa: ANN401
    [session] = stand_in.sessions.values()
    return stand_in.add_run(
        session, START + timedelta(minutes=minute), extra={"metadata": {"task_id": task}}, **given
    )


@pytest.mark.parametrize("backend", ["v1", "v2", "dual"])
def test_an_unchanged_project_costs_a_handful_of_requests(
    database_url: str, stand_in: LangSmithServer, backend: str
) -> None:
    serve(stand_in, backend)
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


class History:
    """What happens to a project between two looks, at random."""

    def __init__(self, stand_in: LangSmithServer, seed: int) -> None:
        self.stand_in = stand_in
        self.random = Random(seed)
        self.minute = 0.0

    def go_on(self) -> None:
        """Let some things happen."""
        ways = (self.new, self.new, self.late, self.finish, self.score, self.score, self.human,
                self.edit, self.unscore, self.delete)  # fmt: skip
        for way in self.random.sample(ways, self.random.randint(1, 4)):
            way()

    def runs(self) -> list[Row]:
        return list(self.stand_in.runs.values())

    def add(self, minute: float) -> None:
        status = self.random.choice(["success", "success", "error", "pending"])
        tokens = self.random.randint(1, 10_000)
        run = add(self.stand_in, f"t{self.random.randint(1, 6)}", minute, status=status,
                  total_tokens=None if status == "pending" else tokens)  # fmt: skip
        for _ in range(self.random.randint(0, 2)):
            self.score_of(run)

    def new(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.minute += self.random.random()
            self.add(self.minute)

    def late(self) -> None:
        self.add(self.random.uniform(-30, self.minute))

    def finish(self) -> None:
        for run in self.runs():
            if run["status"] == "pending" and self.random.random() < 0.7:
                run.update(status="success", end_time=run["start_time"], total_tokens=77)

    def score_of(self, run: Row, **given: Any) -> None:  # noqa: ANN401
        key = self.random.choice(["accuracy", "helpfulness", "tone"])
        score = self.random.choice([0, 1, 0.25, 0.5, None, True])
        value = None if score is not None else self.random.choice(["good", "bad"])
        self.stand_in.add_feedback(run, key, score, value=value, **given)

    def score(self) -> None:
        if self.runs():
            self.score_of(self.random.choice(self.runs()))

    def human(self) -> None:
        if self.runs():
            self.score_of(self.random.choice(self.runs()), source="app", comment="I think so")

    def edit(self) -> None:
        """Correct a row, old or new, in a way that moves its key's mean."""
        rows = [row for row in self.stand_in.feedback.values() if row["score"] is not None]
        if rows:
            row = self.random.choice(rows)
            score = 1 - row["score"] if row["score"] != 0.5 else 0.75
            row.update(score=score, modified_at=now())

    def unscore(self) -> None:
        rows = list(self.stand_in.feedback)
        if rows:
            self.stand_in.remove_feedback(self.random.choice(rows))

    def delete(self) -> None:
        if self.runs() and self.random.random() < 0.4:
            self.stand_in.remove_run(self.random.choice(self.runs())["id"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "seed"), [("v1", 1), ("v2", 2), ("dual", 3), ("v2", 4), ("v2", 5), ("v2", 6)]
)
def test_after_any_history_a_full_reading_finds_nothing_more(
    database_url: str,
    postgres_server: str,
    stand_in: LangSmithServer,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    seed: int,
) -> None:
    serve(stand_in, backend)
    # small pages, so that reading may stop too early
    for query in wire.PAGE:
        monkeypatch.setitem(wire.PAGE, query, 5)
    monkeypatch.setattr(feedback, "PAGE", 7)
    stand_in.add_session("large", start_time=(START - timedelta(hours=1)).isoformat())
    history = History(stand_in, seed)
    for _ in range(12):
        history.new()
    project = Project(database_url)
    project.ingest()
    ways = Counter[str]()
    for _ in range(12):
        history.go_on()
        told = project.ingest()
        assert told["read"] == told["loaded"] + told["unchanged"]
        if told["load_id"] is not None:
            ways[project.reference()["reading"]] += 1
        full = project.ingest("--full")
        assert (full["loaded"], full["rejected"]) == (0, 0), project.reference()
    assert ways["changes"] >= 3, ways
    project.ingest("--sync")
    assert project.ingest("--sync")["loaded"] == 0
    with servers.migrated(postgres_server) as elsewhere:
        once = Project(elsewhere)
        once.ingest()
        assert [row[1:2] + row[3:] for row in project.standing()] == [
            row[1:2] + row[3:] for row in once.standing()
        ]
