"""Endpoints that are busy, fail, are slow or are not there, and what a run makes of them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from chat_server import HANG_SECONDS, ChatServer, Fault, retry_date, sums
from loader.errors import ConfigurationError, SourceUnavailable
from loader.runner.chat import ChatTarget
from loader.runner.tasks import read_tasks
from runner_calls import PRICE, SETTINGS, model, rows, run

pytestmark = pytest.mark.newest_server


def test_busy_and_failing_endpoints_are_tried_again(database_url: str, chat: ChatServer) -> None:
    chat.faults.extend(
        [
            Fault(429, {"Retry-After": "0.2"}),
            Fault(500),
            Fault(429, {"Retry-After": retry_date(0.5)}),
            Fault(503, body=b"<html>busy</html>"),
            Fault(act="truncate"),
            Fault(act="empty"),
            Fault(act="reset"),
        ]
    )
    outcome = run(database_url, model(chat, attempts=8), sums(2))
    assert (outcome.succeeded, outcome.failed) == (2, 0)
    assert len(chat.requests) == 9


def test_a_retry_after_is_honoured(database_url: str, chat: ChatServer) -> None:
    chat.faults.append(Fault(429, {"Retry-After": "1.5"}))
    run(database_url, model(chat), sums(1))
    assert chat.arrivals[1] - chat.arrivals[0] >= 1.5
    # the wait is not part of the latency
    assert rows(database_url, "latency_ms")[0][0] < 1500


def test_failures_are_results_with_null_scores(database_url: str, chat: ChatServer) -> None:
    chat.faults.extend([Fault(400, body=b'{"error": "too long"}'), Fault(act="stream")])
    chat.faults.extend([Fault(500)] * 3)
    settings = replace(SETTINGS, concurrency=1)
    outcome = run(database_url, model(chat, attempts=3), sums(4), settings)
    assert (outcome.succeeded, outcome.failed) == (1, 3)
    there = rows(database_url, "success, error_message, scores, latency_ms is null")
    assert [row[0] for row in there] == [False, False, False, True]
    assert there[0][1] == "HTTP 400: too long"
    assert "stream" in there[1][1]
    assert there[2][1] == "HTTP 500: out of order (3 attempts)"
    assert [row[2] for row in there] == [{"accuracy": None}] * 3 + [{"accuracy": 1.0}]
    assert [row[3] for row in there] == [True, True, True, False]
    retried = run(database_url, model(chat), sums(4), replace(SETTINGS, retry_failed=True))
    assert (retried.planned, retried.succeeded) == (3, 3)
    assert len(rows(database_url, "1")) == 7


def test_a_call_that_takes_too_long_is_given_up(database_url: str, chat: ChatServer) -> None:
    chat.faults.append(Fault(act="hang"))
    started = time.monotonic()
    outcome = run(database_url, model(chat), sums(3), replace(SETTINGS, timeout_seconds=2.5))
    assert time.monotonic() - started < HANG_SECONDS
    assert (outcome.succeeded, outcome.failed) == (2, 1)
    errors = [row[0] for row in rows(database_url, "error_message") if row[0]]
    assert errors == ["no answer within 2.5 seconds"]


def test_streaming_is_refused_politely_and_said(database_url: str, chat: ChatServer) -> None:
    run(database_url, model(chat, parameters={"temperature": 0, "stream": True}), sums(1))
    assert chat.requests[0]["stream"] is False
    assert chat.requests[0]["temperature"] == 0


@pytest.mark.parametrize(
    ("fault", "error", "match"),
    [
        (Fault(401), ConfigurationError, "--api-key-env"),
        (Fault(429, body=b'{"error": {"code": "insufficient_quota"}}'), SourceUnavailable, "quota"),
    ],
)
def test_what_would_fail_every_task_ends_the_run(
    database_url: str, chat: ChatServer, fault: Fault, error: type[Exception], match: str
) -> None:
    chat.faults.extend([fault] * 5)
    with pytest.raises(error, match=match):
        run(database_url, model(chat))
    assert rows(database_url, "1") == []


def test_an_endpoint_that_is_not_there_ends_the_run(database_url: str) -> None:
    target = ChatTarget("http://127.0.0.1:9/v1", "good", attempts=2, first_wait=0.01)
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        run(database_url, target)


def test_concurrency_and_rate_are_kept(database_url: str, chat: ChatServer) -> None:
    chat.delay = 0.05
    run(database_url, model(chat), sums(12), replace(SETTINGS, concurrency=3))
    assert chat.most_at_once == 3
    chat.arrivals.clear()
    run(
        database_url, model(chat), sums(30),
        replace(SETTINGS, concurrency=6, rate=20, retry_failed=True),
    )  # fmt: skip
    assert chat.arrivals[-1] - chat.arrivals[0] >= 0.6  # 17 intervals of 0.05


def test_the_cost_cap_is_never_passed(database_url: str, chat: ChatServer) -> None:
    # a call costs 0.015 and is bounded by its bytes and the longest answer
    target = model(chat, price=PRICE, max_tokens=5)
    bound = target.cost_bound(read_tasks(sums(1))[0])
    assert bound is not None
    assert bound > 0.015
    cap = bound + 4 * 0.015
    outcome = run(database_url, target, sums(20), replace(SETTINGS, max_cost_usd=cap))
    assert outcome.stop == "cost"
    assert outcome.cost_usd <= cap
    assert outcome.succeeded == 5
    assert chat.requests[0]["max_tokens"] == 5
    more = run(database_url, model(chat, price=PRICE, max_tokens=5), sums(20))
    assert (more.already_done, more.succeeded) == (5, 15)


@pytest.mark.parametrize(
    "endpoint", ["localhost:8000", "http://me:key@host/v1", "http://host/v1?api-key=k"]
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="--endpoint"):
        ChatTarget(endpoint, "good")
