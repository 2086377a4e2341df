"""Every test of the runner has a spool of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat_server import ChatServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep what the test spools apart."""
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    """Give an endpoint that answers sums."""
    with ChatServer() as server:
        yield server
