"""Whatever ingest takes, and whatever a role may insert by hand, one build digests."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import psycopg
import pytest

import servers
from extreme_records import Extremes
from ingest_support import select
from loader.ingest.load import load
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

RECORDS = 10_000
_NUMBERS = """
select format('%I.%I', table_schema, table_name), column_name
from information_schema.columns
where table_schema = 'evals' and data_type in ('double precision', 'numeric')
"""


@pytest.fixture(scope="module")
def built_url(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a database with the raw schema, for one test after the other."""
    del tmp_path_factory
    with servers.migrated(postgres_server) as url:
        yield url


def not_finite(url: str) -> list[tuple[str, str]]:
    """Name the columns of marts that hold infinity or NaN."""
    found = []
    with psycopg.connect(url) as connection:
        for table, column in connection.execute(_NUMBERS).fetchall():
            values = "('NaN', 'Infinity', '-Infinity')"
            query = f'select from {table} where "{column}" in {values} limit 1'
            if connection.execute(query.encode()).fetchone() is not None:
                found.append((table, column))
    return found


@pytest.mark.newest_server
def test_ten_thousand_extreme_records_that_ingest_takes_are_built_into_finite_marts(
    built_url: str, dbt: Dbt, tmp_path: Path
) -> None:
    extremes = Extremes(random.Random(16), 6)  # noqa: S311  the same records every time
    path = tmp_path / "extreme.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for run in range(RECORDS):
            file.write(f"{json.dumps(extremes.record(run))}\n")
    with connect(built_url) as connection:
        summary = load(connection, FileSource([str(path)]), read_vocabulary())
    assert (summary.read, summary.loaded) == (RECORDS, RECORDS), summary.reasons
    dbt.build(built_url)
    assert not_finite(built_url) == []
    [(counted,)] = select(built_url, "select count(*) from evals.evaluation_trials")
    assert counted == RECORDS
    # a name too long for an index entry is cut, and stays another than its neighbour's
    names = select(
        built_url,
        "select distinct segment from evals.experiment_segment_comparisons"
        " where segment ~ '… [0-9a-f]{32}$'",
    )
    assert len(names) >= 3
    assert max(len(name.encode()) for (name,) in names) <= 300
