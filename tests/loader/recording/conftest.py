"""Every test of recording has a spool of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep what the test spools apart."""
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
