"""Purging raw: the marts of what remains are unchanged, and rollups stay where a var says so."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

import servers
from close_values import agrees
from loader.ingest import retention
from loader.warehouse.connection import connect
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server
Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]
TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
OLD_DAY, YOUNG_DAY = (TODAY - timedelta(days=400)).date(), (TODAY - timedelta(days=2)).date()
KEEP = ("--vars", "{keep_purged_rollups: true}")
OF_WHAT_REMAINS = (
    "evaluation_trials",
    "evaluation_results",
    "evaluation_scores",
    "experiment_summaries",
    "experiment_metric_comparisons",
    "version_trends",
    "version_regressions",
    "regression_tasks",
    "metric_alerts",
    "arm_summaries",
)


@pytest.fixture
def raw(postgres_server: str) -> Iterator[RawRows]:
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield RawRows(connection)


def records() -> Iterator[dict[str, Any]]:
    """Give old versions and young ones; an experiment with both, and an archived run."""
    rng = random.Random(7)  # noqa: S311  a seeded test
    for version in range(6):
        is_old = version < 3
        for group in ("baseline", "code-chef"):
            for task in range(12):
                yield {
                    "experiment_id": "mixed" if version in {2, 3} else f"e{version}",
                    "task_id": f"t{task}",
                    "experiment_group": group,
                    "extension_version": f"1.{version}.0",
                    "agent_name": "a",
                    "recorded_at": TODAY - timedelta(days=400 if is_old else 2),
                    "scores": {"accuracy": round(rng.random(), 3)},
                    "metadata": {"archive": True} if is_old and task == 0 else {},
                }


def rows(connection: Connection, mart: str) -> Rows:
    """Return a mart's rows; what a build stamps on a row is no part of them."""
    query = sql.SQL(
        "select to_jsonb(mart) - '{{created_at,updated_at,comparison_fingerprint}}'::text[]"
        " from {} as mart order by 1"
    )
    return connection.execute(query.format(sql.Identifier("evals", mart))).fetchall()


def purge(raw: RawRows) -> None:
    with connect(raw.connection.info.dsn, autocommit=True) as connection:
        removed = list(retention.remove(connection, retention.find(connection, 365), 10))
    assert sum(batch.runs for batch in removed) == 3 * 2 * 11


def rollups(connection: Connection) -> dict[Any, tuple[int, float, int]]:
    found = connection.execute(
        "select recorded_on, sum(sample_count)::int, sum(value_sum)::float8,"
        " sum(purged_sample_count)::int from evals.metric_daily_rollups group by recorded_on"
    )
    return {row[0]: row[1:] for row in found}


def test_rollups_follow_raw_unless_the_var_keeps_them(raw: RawRows, dbt: Dbt) -> None:
    connection, url = raw.connection, raw.connection.info.dsn
    raw.load(records())
    connection.execute("select setval('raw_evals.load_ids', 1000)")
    dbt.build(url)
    before = rollups(connection)
    purge(raw)
    dbt.build(url)
    assert before[OLD_DAY][0] == 3 * 2 * 12
    followed = rollups(connection)
    assert followed[OLD_DAY][0] == followed[OLD_DAY][2] + 3 * 2 == 3 * 2
    assert followed[YOUNG_DAY] == before[YOUNG_DAY]


def test_kept_rollups_outlive_the_purge_and_a_full_refresh(raw: RawRows, dbt: Dbt) -> None:
    connection, url = raw.connection, raw.connection.info.dsn
    raw.load(records())
    connection.execute("select setval('raw_evals.load_ids', 1000)")
    dbt.build(url, *KEEP)
    before, whole = rollups(connection), rows(connection, "metric_daily_rollups")
    purge(raw)
    for arguments in (KEEP, (*KEEP, "--full-refresh"), KEEP):
        dbt.build(url, *arguments)
        kept = rollups(connection)
        assert kept[OLD_DAY][:2] == pytest.approx(before[OLD_DAY][:2], rel=1e-12)
        assert kept[OLD_DAY][2] == 3 * 2 * 11
        assert kept[YOUNG_DAY] == before[YOUNG_DAY]
        assert [
            {**row, "purged_sample_count": 0} for (row,) in rows(connection, "metric_daily_rollups")
        ] == [row for (row,) in whole]
    of_what_remains = {mart: rows(connection, mart) for mart in OF_WHAT_REMAINS}
    assert of_what_remains["version_trends"]
    # the var off again: rollups are those of raw, and nothing else ever depended on it
    dbt.build(url, "--full-refresh")
    assert rollups(connection)[OLD_DAY][0] == 3 * 2
    for mart, there in of_what_remains.items():
        now = rows(connection, mart)
        assert agrees([row for (row,) in now], [row for (row,) in there]), mart
