"""Fixtures for plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reading_sample import Built, reading_sample

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def built(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Give the sample, built."""
    with reading_sample(postgres_server, tmp_path_factory.mktemp("sample")) as built:
        yield built
