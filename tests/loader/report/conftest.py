"""The places that show the sample's numbers, for tests that hold them against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from places import Places
from sample_marts import sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def warehouse(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Give the marts of the sample, and what shows them."""
    with sample_marts(postgres_server) as url:
        place = Places(url, tmp_path_factory.mktemp("shown"))
        yield place
        place.connection.close()
