"""A LangSmith project that is ingested again: only what changed is asked for, and nothing missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from langsmith_again import Project
from langsmith_server import fill

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
