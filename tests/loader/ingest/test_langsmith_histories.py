"""Random histories of a LangSmith project: reading what changed leaves nothing for --full."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import servers
from langsmith_again import START, Project, add, serve
from langsmith_handler import now
from loader.sources.langsmith import feedback, wire

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

Row = dict[str, Any]


class History:
    """What happens to a project between two looks, at random."""

    def __init__(self, stand_in: LangSmithServer, seed: int) -> None:
        self.stand_in = stand_in
        self.random = Random(seed)  # noqa: S311  a history, no secret
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


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reading have the chance to stop too early."""
    for query in wire.PAGE:
        monkeypatch.setitem(wire.PAGE, query, 5)
    monkeypatch.setattr(feedback, "PAGE", 7)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    "course", [("v1", 1), ("v2", 2), ("dual", 3), ("v2", 4), ("v2", 5), ("v2", 6)]
)
def test_after_any_history_a_full_reading_finds_nothing_more(
    database_url: str, postgres_server: str, stand_in: LangSmithServer, course: tuple[str, int]
) -> None:
    backend, seed = course
    serve(stand_in, backend)
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
