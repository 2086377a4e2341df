from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_support import load_records, record
from loader.warehouse import locks
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    import pytest


def test_a_load_does_not_wait_for_a_build(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=2s")
    with connect(database_url) as building:
        building.execute("select raw_evals.take_build('evals', '{\"name\": \"a test\"}')")
        building.execute("select pg_advisory_lock(%s)", [locks.MIGRATE])
        assert load_records(database_url, [record()]).loaded == 1
