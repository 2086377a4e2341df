"""Who may listen, and who may ask."""

from __future__ import annotations

import pytest

from loader.errors import ConfigurationError
from loader.serve.settings import TOKEN, is_loopback, settings

GOOD = "x" * 16


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_nothing(host: str) -> None:
    assert is_loopback(host)
    assert settings(host, 1).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "evals.lan", "", "localhost.lan"])  # noqa: S104
def test_beyond_loopback_nobody_listens_for_everybody(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="whoever reaches it"):
        settings(host, 1)
    assert settings(host, 1, auth_header="X-User").auth_header == "X-User"
    monkeypatch.setenv(TOKEN, GOOD)
    assert settings(host, 1).token == GOOD


@pytest.mark.parametrize("token", ["short", "x" * 15, "é" * 16, "x" * 16 + "\n"])
def test_a_token_that_can_be_guessed_or_not_sent_is_refused(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(ConfigurationError, match="16 printable") as told:
        settings("127.0.0.1", 1)
    assert token not in str(told.value)


@pytest.mark.parametrize("path", ["evals", "/a//b", "/..", "/a/../b", "/a?b", "/a b", "//"])
def test_a_root_path_that_is_none_is_refused(path: str) -> None:
    if path == "//":
        assert settings("::1", 1, path).root_path == ""
        return
    with pytest.raises(ConfigurationError, match="--root-path"):
        settings("::1", 1, path)


def test_a_root_path_ends_without_a_slash() -> None:
    assert settings("::1", 1, "/a/b/").root_path == "/a/b"


@pytest.mark.parametrize("name", ["X User", "", "X:", "É"])
def test_a_header_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="--auth-header"):
        settings("::1", 1, auth_header=name)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--name"):
        settings("::1", 1, names=("a/b",))
    assert "evals.lan" in settings("::1", 1, names=("Evals.lan",)).hosts()
