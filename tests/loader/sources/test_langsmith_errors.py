"""Everything LangSmith's side can do wrong, over a real socket, and what a person is told."""

from __future__ import annotations

import io
import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from traceback import TracebackException
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.traceback import Traceback

from langsmith_server import KEY, Fault, LangSmithServer, fill
from loader.errors import ConfigurationError, LoaderError, SourceUnavailable
from loader.sources.langsmith import LangSmith, LangSmithSource, Patience, find_dataset
from loader.sources.langsmith.answers import seconds_of
from loader.sources.langsmith.limits import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Connect = "Callable[[], LangSmith]"
HTML = {"headers": {"Content-Type": "text/html"}, "body": b"<html>Sign in</html>"}
PATHS = ["/info", "/sessions", "/runs/query", "/feedback$", "/feedback-configs"]
PASSING: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"status": 429, "headers": {"Retry-After": "0.1"}},
    "429 without": {"status": 429},
    "500": {"status": 500},
    "502 with a page": {"status": 502, **HTML},
    "503 with Retry-After": {"status": 503, "headers": {"Retry-After": "0"}},
    "408": {"status": 408},
    "reset": {"act": "reset"},
    "truncated": {"act": "truncate"},
    "not JSON": {"status": 200, "body": b'{"items": ['},
    "other JSON": {"status": 200, "body": b'"what"'},
}

IMPATIENT = Patience(attempts=8, first_wait=0.01, longest_wait=0.05, read_timeout=0.5)


@pytest.fixture(autouse=True)
def the_key_is_nowhere(
    stand_in: LangSmithServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Fail a test that logs or prints the API key, or part of it."""
    del stand_in
    caplog.set_level(logging.DEBUG)
    yield
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err):
        assert KEY not in text
        assert KEY[-12:] not in text


def load(connect: Callable[[], LangSmith]) -> int:
    return len(list(LangSmithSource(connect(), "large").rows()))


def refuse(connect: Callable[[], LangSmith], kind: type[LoaderError]) -> str:
    """Load, expect to be refused, and look for the key wherever an error may show it."""
    with pytest.raises(kind) as caught:
        load(connect)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(TracebackException.from_exception(error, capture_locals=True).format())
    assert KEY[-12:] not in shown + repr(error)
    return str(error)


@pytest.mark.parametrize("trouble", PASSING)
def test_trouble_that_passes_is_sat_out(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], trouble: str
) -> None:
    fill(stand_in, 3, 2)
    stand_in.faults += [Fault(path, times=2, **PASSING[trouble]) for path in PATHS]
    assert load(connect_langsmith) == 3
    assert [fault.seen for fault in stand_in.faults] == [3] * len(PATHS)


@pytest.mark.backends("dual")
def test_an_answer_that_never_comes_is_asked_for_again(stand_in: LangSmithServer) -> None:
    fill(stand_in, 3, 2)
    stand_in.faults += [Fault(path, act="hang") for path in PATHS]
    assert load(lambda: LangSmith(IMPATIENT)) == 3
    # A busy machine may also miss the time with an answer it meant to give.
    assert all(fault.seen >= 2 for fault in stand_in.faults)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("429 with Retry-After", "rate limit holds.*it asks to wait 0 s"),
        ("429 without", "rate limit holds.*does not say for how long"),
        ("500", "status 500.*Check the network and LANGSMITH_ENDPOINT"),
        ("reset", "connection failed or was reset"),
        ("truncated", "its answer broke off"),
        ("not JSON", "broke off or is not what is documented"),
    ],
)
def test_trouble_that_stays_is_told(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], trouble: str, said: str
) -> None:
    fill(stand_in, 3, 2)
    stand_in.faults.append(Fault("/runs/query", times=99, **PASSING[trouble]))
    with pytest.raises(SourceUnavailable, match=said):
        load(connect_langsmith)
    assert stand_in.faults[0].seen == 4


def test_a_long_wait_is_told_at_once(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 1)
    stand_in.faults.append(Fault("/feedback", status=429, headers={"Retry-After": "900"}))
    begin = time.monotonic()
    assert "asks to wait 900 s" in refuse(connect_langsmith, SourceUnavailable)
    assert time.monotonic() - begin < 60


def test_the_time_asked_for_is_waited(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 1)
    stand_in.faults.append(Fault("/runs/query", status=429, headers={"Retry-After": "0.7"}))
    begin = time.monotonic()
    assert load(connect_langsmith) == 1
    assert time.monotonic() - begin >= 0.7


@pytest.mark.backends("dual")
def test_a_hanging_server_is_given_up(stand_in: LangSmithServer) -> None:
    fill(stand_in, 1, 1)
    stand_in.faults.append(Fault("/info", act="hang", times=99))
    told = refuse(lambda: LangSmith(IMPATIENT), SourceUnavailable)
    assert "did not answer in time" in told


@pytest.mark.backends("dual")
def test_a_server_that_is_not_there_is_told(
    connect_langsmith: Callable[[], LangSmith], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://user:secret@127.0.0.1:9")
    message = refuse(connect_langsmith, SourceUnavailable)
    assert "http://127.0.0.1:9" in message
    assert "secret" not in message
    assert "not set" not in message
    monkeypatch.delenv("LANGSMITH_API_KEY")
    assert "LANGSMITH_API_KEY is not set either" in refuse(connect_langsmith, SourceUnavailable)


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_key_names_the_variable(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], path: str
) -> None:
    fill(stand_in, 1, 1)
    stand_in.faults.append(Fault(path, status=401, times=99, body=b'{"detail": "Invalid token"}'))
    message = refuse(connect_langsmith, ConfigurationError)
    assert "the key in LANGSMITH_API_KEY is not valid there" in message
    assert stand_in.faults[0].seen == 1


def test_the_service_may_not_echo_the_key(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    stand_in.key = "another"
    assert "It says: Invalid token ***" in refuse(connect_langsmith, ConfigurationError)


def test_a_traceback_that_shows_variables_does_not_show_the_key(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    stand_in.faults.append(Fault("/feedback", times=99, act="reset"))
    fill(stand_in, 1, 1)
    with pytest.raises(SourceUnavailable) as caught:
        load(connect_langsmith)
    shown = io.StringIO()
    trace = Traceback.from_exception(
        caught.type, caught.value, caught.tb, show_locals=True, locals_max_string=10_000
    )
    Console(file=shown, width=400).print(trace)
    assert "locals" in shown.getvalue()
    assert KEY[-12:] not in shown.getvalue()


def test_a_missing_key_is_told(
    connect_langsmith: Callable[[], LangSmith], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY")
    assert "no API key is set" in refuse(connect_langsmith, ConfigurationError)


def test_an_older_variable_is_named_when_it_holds_the_key(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY")
    monkeypatch.setenv("LANGCHAIN_API_KEY", KEY)
    stand_in.key = "another"
    assert "the key in LANGCHAIN_API_KEY" in refuse(connect_langsmith, ConfigurationError)


@pytest.mark.parametrize("body", [b'{"error": "org_scoped_key_requires_workspace"}', b'["no"]'])
def test_a_wrong_workspace_names_the_variable(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
) -> None:
    stand_in.faults.append(Fault("/sessions", status=403, times=99, body=body))
    assert "LANGSMITH_WORKSPACE_ID, which is not set" in refuse(
        connect_langsmith, ConfigurationError
    )
    monkeypatch.setenv("LANGSMITH_WORKSPACE_ID", "0190a1b2-c3d4-7ef0-a5b6-6ea3a82e9328")
    assert "names a workspace it may not read" in refuse(connect_langsmith, ConfigurationError)


@pytest.mark.parametrize("status", [200, 401, 403])
@pytest.mark.parametrize("path", PATHS)
def test_a_proxys_page_is_not_langsmith(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], path: str, status: int
) -> None:
    fill(stand_in, 1, 1)
    stand_in.faults.append(Fault(path, status=status, times=99, **HTML))
    message = refuse(connect_langsmith, SourceUnavailable)
    assert "a proxy or a sign-in page" in message
    assert stand_in.faults[0].seen == 1


def test_a_redirect_does_not_take_the_key_along(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    with LangSmithServer() as elsewhere:
        stand_in.faults.append(
            Fault("/sessions", status=302, times=99, headers={"Location": elsewhere.url + "/info"})
        )
        message = refuse(connect_langsmith, SourceUnavailable)
        assert elsewhere.log == []
    assert "redirects" in message


def test_an_unknown_project_names_the_nearest(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    for name in ("larger", "Large", "zzz"):
        stand_in.add_session(name)
    message = refuse(connect_langsmith, ConfigurationError)
    assert "no project 'large'; the nearest are 'Large', 'larger'." in message


def test_an_unknown_id_is_an_unknown_project(connect_langsmith: Callable[[], LangSmith]) -> None:
    source = LangSmithSource(connect_langsmith(), "0190a1b2-c3d4-7ef0-a5b6-6ea3a82e9328")
    with pytest.raises(ConfigurationError, match=r"no project '0190a1b2.* in this workspace"):
        list(source.rows())


def test_an_unknown_dataset_names_the_nearest(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    stand_in.add_dataset("scenarios-v1")
    with pytest.raises(ConfigurationError, match="nearest are 'scenarios-v1'"):
        find_dataset(connect_langsmith(), "scenario-v1")


def test_a_server_without_any_run_query_is_told(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 1)
    stand_in.faults.append(Fault("/runs/query", status=405, times=99))
    assert "answers neither run query" in refuse(connect_langsmith, SourceUnavailable)


@pytest.mark.backends("dual")
@pytest.mark.parametrize("path", ["/runs/query", "/feedback"])
def test_a_failure_on_a_later_page_yields_nothing(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], path: str
) -> None:
    stand_in.flags = {"sdb_query_enabled": False}
    fill(stand_in, 250, 2)
    stand_in.faults.append(Fault(path, after=2, times=99, status=500))
    rows = LangSmithSource(connect_langsmith(), "large").rows()
    with pytest.raises(SourceUnavailable):
        next(rows)
    stand_in.faults.clear()
    assert load(connect_langsmith) == 250


@pytest.mark.backends("dual", "v2")
def test_paging_that_goes_in_circles_ends(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 1)
    body = b'{"items": [], "has_more": true, "next_cursor": "again"}'
    stand_in.faults.append(Fault("/runs/query", status=200, times=99, body=body))
    assert "the same page marker twice" in refuse(connect_langsmith, SourceUnavailable)


@pytest.mark.backends("dual", "v2")
def test_a_run_that_is_no_json_is_rejected_alone(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 0)
    body = b'{"items": [{"id": "a", "error": "\\ud800"}, {"name": "no id"}, {"id": "b", "x": NaN}]}'
    stand_in.faults.append(Fault("/runs/query", status=200, body=body))
    rows = list(LangSmithSource(connect_langsmith(), "large").rows())
    assert [row.rejection.reason_code for row in rows if row.rejection] == ["invalid_json"] * 3
    assert b"no id" in rows[1].original


@pytest.mark.backends("dual", "v2")
def test_a_server_strict_about_new_properties_is_asked_without(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 0)
    stand_in.faults.append(Fault("/runs/query", status=422))
    assert load(connect_langsmith) == 1
    assert "include_subtree_usage" not in stand_in.bodies[-1]


def test_bad_settings_are_named(
    connect_langsmith: Callable[[], LangSmith], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "smith.example.org")
    assert "LANGSMITH_ENDPOINT" in refuse(connect_langsmith, ConfigurationError)


def test_retry_after_is_read_in_every_form() -> None:
    assert seconds_of(None) is None
    assert seconds_of("12") == 12
    assert seconds_of("-1") == seconds_of("nan") == 0
    assert seconds_of("soon") is None
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 28 <= (seconds_of(later) or 0) <= 30


def test_the_published_rate_is_never_passed() -> None:
    clock = [0.0]
    limit = RateLimit(
        3, 10, clock=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + s)
    )
    times = []
    for _ in range(10):
        limit.acquire()
        times.append(clock[0])
    assert times == [0, 0, 0, 10, 10, 10, 20, 20, 20, 30]
    limit.hold(25)
    limit.acquire()
    assert clock[0] == 55
