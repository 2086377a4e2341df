from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.warehouse import waiting


def test_nothing_is_said_of_a_wait_that_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    tries = iter([False, False, True])
    waiting.wait_for(lambda: next(tries), lambda: "somebody", "the door")
    assert capsys.readouterr().err == ""


def test_who_waits_says_for_whom_after_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    waiting.wait_for(
        lambda: time.monotonic() - begun > 2.5, lambda: "pid 7 on ci", "the door", limit=30
    )
    assert capsys.readouterr().err == "waiting for the door: pid 7 on ci (for 30 s at most)\n"


def test_a_wait_has_an_end_that_names_the_holder_and_the_remedy() -> None:
    begun = time.monotonic()
    with pytest.raises(WarehouseUnavailable) as caught:
        waiting.wait_for(lambda: False, lambda: "pid 7 on ci", "the door", limit=0.3)
    assert 0.25 < time.monotonic() - begun < 30
    assert str(caught.value) == (
        "waited 0.3 s for the door: pid 7 on ci; try again when that has ended, or wait longer: "
        "EVALMART_WAIT_SECONDS=SECONDS or --wait SECONDS"
    )


def test_a_limit_of_nothing_tries_once() -> None:
    tries = []

    def attempt() -> bool:
        tries.append(1)
        return False

    with pytest.raises(WarehouseUnavailable, match="did not wait for the door; "):
        waiting.wait_for(attempt, lambda: None, "the door", limit=0)
    assert len(tries) == 1


@pytest.mark.parametrize(("said", "seconds"), [("", 600.0), ("0", 0.0), (" 2.5 ", 2.5)])
def test_the_environment_sets_the_limit(
    said: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(waiting.VARIABLE, said)
    assert waiting.limit_seconds() == seconds


@pytest.mark.parametrize("said", ["soon", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(waiting.VARIABLE, said)
    with pytest.raises(ConfigurationError, match="EVALMART_WAIT_SECONDS is no number of seconds"):
        waiting.limit_seconds()


def test_a_holder_is_named_on_one_line_whatever_it_calls_itself() -> None:
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = waiting.holder_text("eve\n\x1b[2J", since, user="ev\te", pid=7)
    assert text.isprintable()
    assert "user ev\\te, server process 7" in text
    assert waiting.holder_text("") == "a session without a name"


def test_a_connection_calls_itself_by_what_it_does() -> None:
    assert waiting.application_name("ingest").startswith("evalmart ingest pid ")
    assert len(waiting.application_name("x" * 100)) == 63
