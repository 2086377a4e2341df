"""What is odd about a run or a page: times, rows without an id, rows of any weight."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from langsmith_server import fill
from loader.records.checker import Checker, Defaults
from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes
from loader.sources.langsmith.runs import normalised
from loader.sources.langsmith.wire import FIRST_WITH_IO, PAGE_WEIGHT
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from langsmith_server import LangSmithServer

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("v1", "v2", "expected"),
    [
        (
            {"start_time": "2026-11-01T10:00:00.123999", "end_time": "2026-11-01T10:00:01.125001"},
            {
                "start_time": "2026-11-01T10:00:00.123Z",
                "end_time": "2026-11-01T10:00:01.125Z",
                "latency_seconds": 1.001002,
            },
            {"started_at": "2026-11-01T10:00:00.123000+00:00", "latency_ms": 1002.0},
        ),
        (
            {"start_time": "2026-11-01T10:00:00.5", "end_time": None},
            {"start_time": "2026-11-01T12:00:00.500+02:00", "latency_seconds": None},
            {"started_at": "2026-11-01T10:00:00.500000+00:00", "latency_ms": None},
        ),
        (
            {"total_cost": "0.3", "total_tokens": 3, "prompt_tokens": 0, "completion_tokens": 3},
            {
                "total_cost": 0.1 + 0.2,
                "total_tokens": 3,
                "prompt_tokens": 0,
                "completion_tokens": 3,
            },
            {"cost_usd": 0.3, "tokens": 3, "prompt_tokens": 0},
        ),
        (
            {"total_cost": None, "total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0},
            {"total_tokens": None},
            {"cost_usd": None, "tokens": None, "prompt_tokens": None},
        ),
        (
            {"total_cost": "0", "total_tokens": 0},
            {"total_cost": 0, "total_tokens": 0},
            {"cost_usd": 0.0, "tokens": 0},
        ),
        ({"tags": None, "status": "success"}, {"status": "SUCCESS"}, {"status": "success"}),
    ],
)
def test_both_routes_give_the_same_values(
    v1: dict[str, object], v2: dict[str, object], expected: dict[str, object]
) -> None:
    first, second = normalised({"id": "a", **v1}), normalised({"id": "a", **v2})
    assert first == second
    assert {name: first[name] for name in expected} == expected


def test_a_run_or_a_feedback_row_without_an_id_costs_only_itself(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = fill(stand_in, 3, 1)
    stand_in.add_run(session)["id"] = None
    stand_in.add_run(session)["id"] = None
    run = next(iter(stand_in.runs.values()))
    stand_in.add_feedback(run, "nameless")["id"] = None
    stand_in.add_feedback(run, "numbered")["id"] = 7
    source = LangSmithSource(connect_langsmith(), "large")
    rows = list(source.rows())
    assert len([row for row in rows if row.fields]) == 3
    rejected = [row.rejection for row in rows if row.rejection]
    assert [one.reason_code for one in rejected] == ["invalid_json"] * 2
    assert "no id" in rejected[0].reason
    assert source.reference()["unreadable_feedback"] == 2
    assert any(
        "2 rows of feedback left out: no readable JSON, or no id" in n for n in source.notes()
    )


def test_an_end_before_the_start_sets_the_latency_aside_not_the_run(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one")
    stand_in.add_run(session, seconds=-2, extra={"metadata": {"task_id": "t"}})
    defaults = Defaults(experiment_id="e", experiment_group="baseline", extension_version="1")
    (row,) = LangSmithSource(connect_langsmith(), "one", Wishes(defaults)).rows()
    assert row.fields is not None
    assert row.fields["latency_ms"] == -2000
    checker = Checker(read_vocabulary(), defaults, accept_feedback=True)
    admitted = checker.admit(row.fields)
    assert [(field, reason) for field, reason in admitted.asides] == [("latency_ms", "negative")]


def pages_of(server: LangSmithServer) -> list[int]:
    sizes: list[Any] = [body.get("page_size") or body.get("limit") for body in server.bodies]
    return [size for size in sizes if size]


def test_pages_are_as_large_as_the_runs_are_small(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    weight = 200_000
    fill(stand_in, 2 * FIRST_WITH_IO + 50, 0, output_bytes=weight)
    source = LangSmithSource(connect_langsmith(), "large", Wishes(with_io=True))
    gc.collect()
    gc.disable()  # nothing that was read may wait for it
    tracemalloc.start()
    try:
        assert sum(len(str(row.fields)) > weight for row in source.rows()) == 90
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    first, *others = pages_of(stand_in)
    assert first == FIRST_WITH_IO
    fitting = PAGE_WEIGHT // weight
    assert all(fitting - 1 <= size <= fitting for size in others)
    # a page that has come, the next one, and what is made of them; not all of them
    assert most < 5 * PAGE_WEIGHT


def test_small_runs_with_io_soon_come_in_full_pages(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1300, 0)
    source = LangSmithSource(connect_langsmith(), "large", Wishes(with_io=True))
    assert sum(1 for _ in source.rows()) == 1300
    expected = [20, *[100] * 13] if stand_in.backend == "v1" else [20, 200, 1000, 1000]
    assert pages_of(stand_in) == expected


def test_runs_without_io_come_in_full_pages(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 120, 0, output_bytes=100_000)
    source = LangSmithSource(connect_langsmith(), "large")
    assert sum(1 for _ in source.rows()) == 120
    assert pages_of(stand_in) == ([100, 100] if stand_in.backend == "v1" else [1000])


def test_an_unusual_time_is_no_time() -> None:
    for odd in ("yesterday", "", 7, None):
        assert normalised({"id": "a", "start_time": odd})["started_at"] is None
    assert normalised({"id": "a", "latency_seconds": 1.2345})["latency_ms"] == timedelta(
        seconds=1.234
    ) / timedelta(milliseconds=1)
