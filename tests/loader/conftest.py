"""Fixtures for what talks to LangSmith: a stand-in server, and no way to the real one.

A test of the stand-in runs on a server with the v1 run query alone, with the v2 one alone and
with both, as the service has been, will be and is. On the last one alone runs a test that is
slow, that builds marts, that sets or parametrizes the query itself, or that is marked
`backends("dual")`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from langsmith_server import KEY, LangSmithServer
from loader.sources.langsmith import LangSmith, Patience
from loader.sources.langsmith.limits import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Retries take no time, but a slow machine has time to answer.
QUICK = Patience(attempts=4, first_wait=0.01, longest_wait=0.05, read_timeout=30)


BACKENDS = ("dual", "v1", "v2")
OWN_CHOICE = {"backend", "query", "stand_in"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what talks to the stand-in on every kind of server."""
    if "stand_in" not in metafunc.fixturenames:
        return
    test = metafunc.definition
    own: set[str] = set()
    for mark in test.iter_markers("parametrize"):
        names = mark.args[0]
        own.update(names.replace(" ", "").split(",") if isinstance(names, str) else names)
    chosen = test.get_closest_marker("backends")
    if chosen:
        metafunc.parametrize("stand_in", chosen.args, indirect=True)
    elif not own & OWN_CHOICE and not _is_slow(metafunc):
        metafunc.parametrize("stand_in", BACKENDS, indirect=True)


def _is_slow(metafunc: pytest.Metafunc) -> bool:
    """Whether it is marked slow, or will be: what builds marts is, once it is collected."""
    is_marked = metafunc.definition.get_closest_marker("slow") is not None
    return is_marked or "dbt" in metafunc.fixturenames


@pytest.fixture
def no_langsmith(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a test away from the user's LangSmith settings, keys and proxies."""
    from langsmith.utils import get_env_var  # only tests of LangSmith pay for it

    for name in os.environ:
        if name.startswith(("LANGSMITH_", "LANGCHAIN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_CONFIG_FILE", str(tmp_path / "no-such-profile.json"))
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("NO_PROXY", "*")
    get_env_var.cache_clear()


@pytest.fixture
def stand_in(
    no_langsmith: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[LangSmithServer]:
    """Give a running stand-in that the environment leads to; empty, with the run queries asked."""
    del no_langsmith
    with LangSmithServer(getattr(request, "param", "dual")) as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
        yield server


@pytest.fixture
def connect_langsmith(stand_in: LangSmithServer) -> Callable[[], LangSmith]:
    """Give a function that connects to the stand-in, retries quickly and waits for no rate."""
    del stand_in
    return lambda: LangSmith(QUICK, {"runs": RateLimit(10_000), "long_runs": RateLimit(10_000)})
