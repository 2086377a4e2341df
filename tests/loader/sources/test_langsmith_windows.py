"""Runs of any time are read, though the v2 query answers for 400 days at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from langsmith_server import Fault
from loader.errors import ConfigurationError
from loader.sources.langsmith import LangSmith, LangSmithSource
from loader.sources.langsmith.client import Parameters
from loader.sources.langsmith.windows import LOOK_BACK, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from langsmith_server import LangSmithServer

NOW = datetime.now(UTC)
ASKED = "/api/v2/runs/query"


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def put(server: LangSmithServer, began: float | None, *runs: float | None) -> list[str]:
    """Add a project that began so many days ago, and runs, newest first; None is no time."""
    session = server.add_session("one")
    session["start_time"] = None if began is None else ago(began).isoformat()
    ids = []
    for number, days in enumerate(runs):
        run = server.add_run(session, ago(days or 0), extra={"metadata": {"task_id": f"t{number}"}})
        if days is None:
            run["start_time"] = None
        ids.append(run["id"])
    return ids


def read(source: LangSmithSource) -> list[str]:
    return sorted(str(row.fields["source_run_id"]) for row in source.rows() if row.fields)


def widest(server: LangSmithServer) -> timedelta:
    """Return the longest window asked for; every one must have two ends."""
    windows = [body for body in server.bodies if "project_ids" in body]
    return max(
        datetime.fromisoformat(body["max_start_time"])
        - datetime.fromisoformat(body["min_start_time"])
        for body in windows
    )


@pytest.mark.backends("v2")
@pytest.mark.parametrize(
    ("bounds", "is_refused"),
    [
        ({"min_start_time": ago(401), "max_start_time": ago(0)}, True),
        ({"min_start_time": ago(401)}, True),
        ({"min_start_time": datetime(2000, 1, 1, tzinfo=UTC)}, True),
        ({"min_start_time": ago(400), "max_start_time": ago(0)}, False),
        ({"min_start_time": ago(400.9)}, False),
        ({}, False),
    ],
)
def test_the_stand_in_refuses_what_the_service_refuses(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    bounds: dict[str, datetime],
    is_refused: bool,
) -> None:
    put(stand_in, 0, 0)
    (session,) = stand_in.sessions
    body = {"project_ids": [session], **{name: end.isoformat() for name, end in bounds.items()}}

    def ask() -> object:
        return connect_langsmith().ask("POST", ASKED, dict[str, Any], Parameters(body=body))

    if is_refused:
        with pytest.raises(ConfigurationError, match="time range exceeds 401 days"):
            ask()
    else:
        assert ask()


@pytest.mark.parametrize(
    ("began", "runs", "windows"),
    [
        (0.01, (0,), 1),
        (9, (8, 9), 1),
        (900, (0, 399, 401, 500, 899), 3),
        (1500, (1099, 1499.9), 2),  # over long ago
        (0.01, (-5 / 1440,), 1),  # the tracing machine's clock is ahead
        (0.01, (-3,), 1),
        (1, (0, 30), 1 + 1),  # imported
        (1, (0, 500), 1 + 2),
        (1, (0, 1500), 1 + 4),
        (1, (300, 900), 1 + 2),  # imported, and nothing else
        (None, (0, 5), 1),
        (None, (0, 700), 1 + 1),
        (None, (800, 801), 1),
    ],
)
def test_runs_of_any_time_are_read(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    began: float | None,
    runs: tuple[float, ...],
    windows: int,
) -> None:
    ids = put(stand_in, began, *runs)
    source = LangSmithSource(connect_langsmith(), "one")
    assert read(source) == sorted(ids)
    asked = stand_in.counts()
    if stand_in.backend == "v1":
        assert asked["/runs/query"] == 1
    elif stand_in.backend == "v2":
        assert asked[ASKED] == windows
        assert source.notes() == []
    else:
        assert asked[ASKED] + asked["/runs/query"] <= windows
    if stand_in.backend != "v1":
        assert widest(stand_in) <= timedelta(days=400)


def test_a_count_one_too_high_is_a_note_and_few_requests(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    ids = put(stand_in, 3, 1, 2, 3)
    counted = stand_in.stats
    stand_in.stats = lambda row: {**counted(row), "run_count": 4}  # type: ignore[method-assign]
    source = LangSmithSource(connect_langsmith(), "one")
    assert read(source) == sorted(ids)
    (note,) = source.notes()
    assert "counts 4 runs in project 'one' and gives 3" in note
    asked = stand_in.counts()
    further = {"v1": 0, "v2": LOOK_BACK, "dual": 1}[stand_in.backend]
    assert asked[ASKED] + asked["/runs/query"] == 1 + further


def test_a_run_without_a_start_is_read_where_a_query_gives_it(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    ids = put(stand_in, 1, 0, None)
    source = LangSmithSource(connect_langsmith(), "one")
    if stand_in.backend == "v2":
        assert read(source) == ids[:1]
        assert "or not dated, is not found" in source.notes()[0]
    else:
        assert read(source) == sorted(ids)


@pytest.mark.backends("dual")
@pytest.mark.parametrize("lacking", [1, 150, 160])
def test_what_v2_does_not_have_yet_comes_from_v1(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], lacking: int
) -> None:
    ids = put(stand_in, 20, *(day / 10 for day in range(160)))
    stand_in.not_in_v2 = set(ids[160 - lacking :])
    source = LangSmithSource(connect_langsmith(), "one")
    assert read(source) == sorted(ids)
    assert source.reference()["filled_from_v1"] == lacking
    assert "repeated_runs" not in source.reference()
    (note,) = source.notes()
    assert note.startswith(f"By the v1 query, where v2 lacks it: {lacking} run")
    # what v2 gave is not read again
    assert stand_in.counts()["/runs/query"] == (2 if lacking > 100 else 1)


@pytest.mark.backends("dual")
@pytest.mark.parametrize("status", [400, 403, 404, 410, 501, 503])
def test_a_v1_query_that_refuses_costs_no_load(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], status: int
) -> None:
    ids = put(stand_in, 1, 0, 600)
    # the first request is v2's; only what may pass is asked for again
    times = 4 if status == 503 else 1
    stand_in.faults.append(Fault("/runs/query", after=1, times=times, status=status))
    source = LangSmithSource(connect_langsmith(), "one")
    assert read(source) == sorted(ids)
    assert source.notes() == []


def test_runs_that_begin_on_the_bound_of_a_window_come_once(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", start_time="2024-01-01T00:00:00Z")
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for day in range(900):
        stand_in.add_run(session, first + timedelta(days=day), extra={"metadata": {"task_id": "t"}})
    source = LangSmithSource(connect_langsmith(), "one")
    assert len(read(source)) == 900
    assert source.notes() == []


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_start_that_is_none_is_not_gone_back_to(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], start: str
) -> None:
    session = stand_in.add_session("one", start_time=start, trace_tier="longlived")
    stand_in.add_run(session, ago(3), extra={"metadata": {"task_id": "t"}})
    assert len(read(LangSmithSource(connect_langsmith(), "one"))) == 1
    assert stand_in.counts()[ASKED] <= 1


def test_windows_meet_and_none_is_too_long() -> None:
    windows = split(ago(1000), ago(0))
    assert [window.length.days for window in windows] == [400, 400, 200]
    assert [window.end for window in windows[1:]] == [window.begin for window in windows[:-1]]
    assert (windows[0].end, windows[-1].begin) == (ago(0), ago(1000))
    assert split(ago(0), ago(0)) == []
