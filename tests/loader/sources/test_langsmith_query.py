"""The run query over a real socket: stretches of time, runs by their ids, runs below a root."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loader.sources.langsmith import LangSmith, find_project
from loader.sources.langsmith.feedback import read_page
from loader.sources.langsmith.runs import RunQuery, normalised_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith.wire import RunPage

NOW = datetime.now(UTC)


def ids_of(pages: Iterable[RunPage]) -> list[str]:
    return [msgspec.json.decode(run)["id"] for page in pages for run in page.runs]


def everything(query: RunQuery) -> list[str]:
    page = query.first()
    found = ids_of([page])
    while page.cursor:
        page = query.after(page.cursor)
        found += ids_of([page])
    return found


def test_a_stretch_of_time_is_all_that_is_asked_for(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", start_time=(NOW - timedelta(days=900)).isoformat())
    runs = [stand_in.add_run(session, NOW - timedelta(days=day)) for day in (1, 3, 5, 700, 899)]
    client = connect_langsmith()
    project = find_project(client, "one")

    def between(since: float | None, until: float | None) -> list[str]:
        ends = [day and NOW - timedelta(days=day) for day in (since, until)]
        return everything(RunQuery(client, project, with_io=False, since=ends[0], until=ends[1]))

    named = [run["id"] for run in runs]
    assert between(None, None) == named
    assert between(4, None) == named[:2]
    assert between(None, 4) == named[2:]
    assert between(800, 2) == named[1:4]
    assert between(0.5, None) == []


def test_runs_are_found_by_their_ids(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", start_time=(NOW - timedelta(days=900)).isoformat())
    runs = [stand_in.add_run(session, NOW - timedelta(days=day))["id"] for day in range(0, 900, 6)]
    old = stand_in.add_run(session, NOW - timedelta(days=2000))["id"]
    client = connect_langsmith()
    query = RunQuery(client, find_project(client, "one"), with_io=False)
    wanted = [runs[3], runs[-1], "5f9e3c4e-0000-4000-8000-000000000000"]
    assert ids_of(query.by_ids(wanted)) == [runs[3], runs[-1]]
    before = len(stand_in.log)
    assert ids_of(query.by_ids(runs[:40])) == runs[:40]
    assert len(stand_in.log) == before + 1, "found in the newest window: no other is asked"
    assert sorted(ids_of(query.by_ids(runs))) == sorted(runs)
    assert ids_of(query.by_ids([old], NOW - timedelta(days=2000))) == [old]
    assert ids_of(query.by_ids([])) == []


@pytest.mark.parametrize("count", [2, 120])
def test_runs_below_the_roots_come_with_their_place(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], count: int
) -> None:
    session = stand_in.add_session("one")
    roots: list[Any] = [stand_in.add_run(session) for _ in range(count + 1)]
    made = {}
    for root in roots:
        below: dict[str, Any] = {"trace_id": root["id"], "session": session}
        chain = stand_in.add_run(parent_run_id=root["id"], **below)
        llm = stand_in.add_run(parent_run_id=chain["id"], run_type="llm", **below)
        made[root["id"]] = (chain["id"], llm["id"])
    client = connect_langsmith()
    query = RunQuery(client, find_project(client, "one"), with_io=False)
    wanted = [root["id"] for root in roots[:count]]
    before = len(stand_in.log)
    pages = list(query.children(wanted, "llm"))
    assert sorted(ids_of(pages)) == sorted(made[trace][1] for trace in wanted)
    found = normalised_child(msgspec.json.decode(pages[0].runs[0]))
    assert (found["run_type"], found["parent_run_id"]) == ("llm", made[found["trace_id"]][0])
    assert found["outputs"] == {"answer": "yes"}
    assert len(stand_in.log) <= before + 4
    assert len(ids_of(query.children(wanted))) == 2 * count
    assert list(query.children([])) == []


def test_feedback_may_be_asked_for_from_a_moment_on(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one")
    run = stand_in.add_run(session)
    for day in (1, 3):
        stand_in.add_feedback(run, "k", 1, created_at=(NOW - timedelta(days=day)).isoformat())
    client = connect_langsmith()
    assert len(read_page(client, session["id"], 0)) == 2
    since = (NOW - timedelta(days=2)).isoformat()
    assert len(read_page(client, session["id"], 0, since)) == 1
