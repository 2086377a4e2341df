"""Rows deleted by hand leave an entry, and what leaves none the doctor finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingest_support import load_records, record, select
from loader.ingest import retention
from loader.warehouse.connection import connect
from loader.warehouse.doctor import Finding, examine

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.newest_server

ENTRIES = (
    "select load_id, experiment_id, source_ref - 'by' from raw_evals.loads"
    " where source = 'deletion' order by 1"
)
FEED = (
    "select load_id, experiment_id, baseline_experiment_id from raw_evals.load_experiments"
    " where load_id > 2 order by 1, 2"
)
DELETE = "delete from raw_evals.evaluation_runs"


def change(url: str, *statements: str) -> None:
    with connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def findings(url: str) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(url)}


def rows_of_loads(url: str) -> Finding:
    return findings(url)["rows of loads"]


@pytest.fixture
def loaded_url(database_url: str) -> str:
    load_records(database_url, [record(task_id=f"t-{n}") for n in range(6)])
    other = record(experiment_id="exp-2", task_id="other", baseline_experiment_id="exp-1")
    load_records(database_url, [other, record(task_id="t-0", success=False)])
    return database_url


def test_a_statement_that_deletes_is_one_entry(loaded_url: str) -> None:
    change(loaded_url, f"{DELETE} where run_version = 1 and task_id in ('t-0', 't-1')")
    change(loaded_url, DELETE + " where task_id = 'none'")
    assert select(loaded_url, ENTRIES) == [
        (3, "exp-1", {"versions": 2, "of_loads": {"1": 2}}),
    ]
    change(loaded_url, DELETE)
    first, second = select(loaded_url, ENTRIES)
    assert first[0] == 3
    assert second == (4, None, {"versions": 6, "of_loads": {"1": 4, "2": 2}})
    assert select(loaded_url, FEED) == [
        (3, "exp-1", None), (4, "exp-1", None), (4, "exp-2", "exp-1")
    ]  # fmt: skip


def test_truncating_is_deleting(loaded_url: str) -> None:
    change(loaded_url, "truncate raw_evals.evaluation_runs")
    [(_, _, told)] = select(loaded_url, ENTRIES)
    assert told["of_loads"] == {"1": 6, "2": 2}
    assert rows_of_loads(loaded_url).passed


def test_retention_writes_its_own_entry_alone(loaded_url: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    load_records(loaded_url, [record(task_id="old", recorded_at=long_ago.isoformat())])
    with connect(loaded_url, autocommit=True) as connection:
        assert [*retention.remove(connection, retention.find(connection, 365))] == [(1, 1)]
    assert select(loaded_url, ENTRIES) == []
    [(told,)] = select(loaded_url, "select source_ref from raw_evals.loads where source = 'purge'")
    assert told["of_loads"] == {"3": 1}
    assert rows_of_loads(loaded_url).passed


def test_the_doctor_tells_what_was_deleted_and_what_is_missing_without_an_entry(
    loaded_url: str,
) -> None:
    assert rows_of_loads(loaded_url).passed
    assert "deleted by hand" not in findings(loaded_url)
    change(loaded_url, f"{DELETE} where task_id = 't-1'")
    found = findings(loaded_url)
    assert found["rows of loads"].passed
    assert found["deleted by hand"].detail.startswith("rows: 1, entries: 1, the last of ")
    without_triggers: Sequence[str] = (
        "set local session_replication_role to replica",
        f"{DELETE} where task_id = 't-2'",
        "update raw_evals.evaluation_runs set load_id = 77 where experiment_id = 'exp-2'",
    )
    change(loaded_url, *without_triggers)
    found = findings(loaded_url)
    assert found["rows of loads"].passed is False
    assert found["rows of loads"].detail == (
        "load 1 (file) has 4 rows in raw, not 5; load 2 (file) has 1 rows in raw, not 2; "
        "load 77 (not in the ledger) has 1 rows in raw, not 0"
    )


def test_a_purge_that_did_not_say_of_which_loads_is_no_difference(loaded_url: str) -> None:
    """Entries of before 0.2."""
    change(
        loaded_url,
        "set local evalmart.purging to 'on'",
        f"{DELETE} where task_id = 't-1'",
        "insert into raw_evals.loads select nextval('raw_evals.load_ids'), 'purge',"
        " '{\"versions\": 1}', null, '0.1', now(), now(), 0, 0, 0, 0",
    )
    assert rows_of_loads(loaded_url).passed
