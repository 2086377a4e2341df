"""How much of an experiment is read, and in how few requests: nothing lost, nothing twice."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from langsmith_records import read
from langsmith_server import LangSmithServer, fill
from loader.errors import SourceUnavailable
from loader.sources.langsmith import LangSmith, LangSmithSource

if TYPE_CHECKING:
    from collections.abc import Callable


SIZES = (0, 1, 99, 100, 101, 1000, 1001, 2500)
NEW, OLD = 0.5, 900.0
CASES = sorted(
    {(runs, 101, NEW) for runs in SIZES[1:]}
    | {(1, feedback, NEW) for feedback in SIZES}
    | {(0, 0, NEW), (1000, 1000, NEW), (1001, 1001, NEW), (2500, 2500, NEW)}
    | {(1, 1, OLD), (1000, 100, OLD), (1001, 0, OLD), (2500, 101, OLD)}
)


@pytest.mark.parametrize(("runs", "feedback", "began"), CASES)
def test_requests_are_as_few_as_the_pages(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    runs: int,
    feedback: int,
    began: float,
) -> None:
    """Requests are at most ⌈N/1000⌉ + ⌊F/100⌋ + 5, and one per further 400 days."""
    start = datetime.now(UTC) - timedelta(days=began)
    session = stand_in.add_session("one", start_time=start.isoformat(), trace_tier="longlived")
    step = timedelta(days=began) / (runs or 1)
    made = [
        stand_in.add_run(session, start + step * number, extra={"metadata": {"task_id": "t"}})
        for number in range(runs)
    ]
    for number in range(feedback):
        stand_in.add_feedback(made[number % runs], f"key_{number // runs % 5}", 1)
    client = connect_langsmith()
    source = LangSmithSource(client, "one")
    assert sum(len(row.fields["feedback"]) for row in source.rows() if row.fields) == feedback
    assert source.reference()["runs" if runs else "project"] == (runs or "one")
    page, windows = (100, 1) if stand_in.backend == "v1" else (1000, math.ceil((began + 2) / 400))
    bound = math.ceil(runs / page) + feedback // 100 + 5 + windows - 1
    assert client.requests == len(stand_in.log) <= bound


def test_feedback_comes_whole_when_the_service_counts_it_wrong(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = fill(stand_in, 30, 10)
    stand_in.stats = lambda row: {**row, "feedback_stats": {"metric_0": {"n": 7}}}  # type: ignore[method-assign]
    assert sum(len(fields["feedback"]) for fields in read(connect_langsmith)) == 300
    assert session["name"] == "large"
    assert stand_in.counts()["/feedback"] == 4


@pytest.mark.parametrize("backend", ["v1", "v2"])
def test_a_row_that_comes_twice_counts_once(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], backend: str
) -> None:
    stand_in.flags = {"sdb_query_enabled": backend == "v2"}
    fill(stand_in, 1100, 0)
    stand_in.repeat_rows = True
    source = LangSmithSource(connect_langsmith(), "large")
    assert len({row.fields["source_run_id"] for row in source.rows() if row.fields}) == 1100
    assert source.reference()["runs"] == 1100
    assert source.reference()["repeated_runs"] == (1 if backend == "v2" else 11)


def test_an_experiment_may_grow_while_it_is_read(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = fill(stand_in, 150, 2)
    known = list(stand_in.runs.values())

    def grow(path: str) -> None:
        if path == "/feedback" and len(stand_in.log) < 12:
            run = stand_in.add_run(session, extra={"metadata": {"task_id": uuid.uuid4().hex}})
            for target in [run, *known[:5]]:
                stand_in.add_feedback(target, "late", 1)

    stand_in.on_request = grow
    source = LangSmithSource(connect_langsmith(), "large")
    first = [row.fields for row in source.rows() if row.fields]
    stand_in.on_request = lambda _path: None
    assert len({fields["source_run_id"] for fields in first}) == len(first) >= 150
    # rows shifted from page to page: none of the old ones is lost or doubled
    assert sum(item["key"] != "late" for f in first for item in f["feedback"]) == 300
    assert any("being written to" in note for note in source.notes())
    again = read(connect_langsmith)
    assert len(again) == len(stand_in.runs)
    assert sum(len(fields["feedback"]) for fields in again) == len(stand_in.feedback)


@pytest.mark.backends("dual", "v2")
def test_an_old_experiment_is_not_cut_to_the_last_day(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    begin = datetime.now(UTC) - timedelta(days=9)
    session = stand_in.add_session("old", start_time=begin.isoformat())
    stand_in.add_run(session, begin, extra={"metadata": {"task_id": "t"}})
    assert len(read(connect_langsmith, "old")) == 1
    asked = stand_in.bodies[-1]
    window = datetime.fromisoformat(asked["max_start_time"]) - datetime.fromisoformat(
        asked["min_start_time"]
    )
    # a window of at most 7 days may be queried five times as often
    assert window <= timedelta(days=2, seconds=1)


def test_what_is_past_retention_is_an_error_not_an_empty_success(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    begin = datetime.now(UTC) - timedelta(days=30)
    stand_in.add_session("gone", start_time=begin.isoformat())
    with pytest.raises(SourceUnavailable, match=r"began 30 days ago.*14 days, or 400"):
        read(connect_langsmith, "gone")


def test_a_new_project_without_runs_is_merely_empty(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    stand_in.add_session("new")
    source = LangSmithSource(connect_langsmith(), "new")
    assert list(source.rows()) == []
    assert source.notes() == ["Project 'new' has no runs yet."]
