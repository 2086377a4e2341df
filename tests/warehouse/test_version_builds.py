"""However the loads came and however often dbt built between them, the marts are the same."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

import servers
from close_values import agrees
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server
Connection = psycopg.Connection[Any]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS, TASKS, FALLS_AT, LOADS = 12, 20, 7, 4
_VERSION = ("agent_name", "experiment_group", "extension_version", "model_version", "metric")
_CANDIDATE = ("experiment_id", "candidate_group", "candidate_version")
KEYS = {
    "evaluation_trials": ("experiment_id", "source", "source_run_id"),
    "evaluation_results": ("experiment_id", "result_id"),
    "evaluation_scores": ("experiment_id", "result_id", "metric"),
    "experiment_summaries": _CANDIDATE,
    "experiment_metric_comparisons": (*_CANDIDATE, "metric"),
    "experiment_segment_comparisons": (*_CANDIDATE, "segment_kind", "segment", "metric"),
    "arm_summaries": ("experiment_id", "experiment_group", "extension_version"),
    "metric_daily_rollups": (*_VERSION, "recorded_on"),
    "version_trends": _VERSION,
    "version_regressions": _VERSION,
    "regression_tasks": (*_VERSION, "task_id"),
    "metric_alerts": (
        "agent_name", "experiment_group", "model_version", "metric", "cause", "found_version",
    ),
}  # fmt: skip
# When and by which load a row came to be, and not what it says.
_BOOKKEEPING = frozenset({"load_id", "loaded_at", "first_loaded_at", "created_at", "updated_at"})


@pytest.fixture(scope="module")
def lived(postgres_server: str, dbt: Dbt) -> Iterator[Connection]:
    """Give a warehouse that was built after every load."""
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        for load in loads():
            raw.load(load)
            dbt.build(url)
        yield connection


def loads() -> list[list[dict[str, Any]]]:
    """Deal one history into loads: every version is in several, and so is every task."""
    rng = random.Random(20260801)  # noqa: S311  a seeded test
    dealt: list[list[dict[str, Any]]] = [[] for _ in range(LOADS)]
    for record in history(rng):
        dealt[rng.randrange(LOADS)].append(record)
    return dealt


def history(rng: random.Random) -> Iterator[dict[str, Any]]:
    ease = [rng.uniform(0.5, 0.8) for _ in range(TASKS)]
    for agent in ("fell", "steady"):
        for version in range(VERSIONS):
            level = -0.3 * (agent == "fell" and version >= FALLS_AT)
            for task in range(TASKS):
                for group in ("baseline", "code-chef") if version % 4 == 0 else ("code-chef",):
                    yield {
                        "experiment_id": f"{agent}/{version}",
                        "task_id": f"t{task}",
                        "experiment_group": group,
                        "extension_version": f"1.{version}.0",
                        "agent_name": agent,
                        "model_version": "m",
                        "recorded_at": BEGIN + timedelta(days=version, hours=task),
                        "scores": {
                            "accuracy": round(
                                max(0.0, min(1.0, ease[task] + level + rng.gauss(0, 0.05))), 4
                            )
                        },
                        "latency_ms": round(rng.lognormvariate(7, 0.5), 1),
                        "metadata": {"category": f"c{task % 2}"},
                    }


def read(
    connection: Connection, mart: str, schema: str = "evals"
) -> dict[tuple[Any, ...], dict[str, Any]]:
    cursor = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, mart)))
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return {tuple(row[name] for name in KEYS[mart]): row for row in rows}


def assert_same(
    mart: str,
    one: Mapping[tuple[Any, ...], dict[str, Any]],
    other: Mapping[tuple[Any, ...], dict[str, Any]],
) -> None:
    assert one, mart
    assert one.keys() == other.keys(), mart
    for key, row in one.items():
        for name, value in row.items():
            if name not in _BOOKKEEPING:
                assert agrees(value, other[key][name]), (mart, key, name, value, other[key][name])


def test_builds_between_loads_give_what_one_build_gives(lived: Connection, dbt: Dbt) -> None:
    dbt.build(lived.info.dsn, schema="rebuilt")
    for mart in KEYS:
        assert_same(mart, read(lived, mart), read(lived, mart, "rebuilt"))


def test_the_order_of_loads_changes_no_mart(
    lived: Connection, postgres_server: str, dbt: Dbt
) -> None:
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        for load in reversed(loads()):
            raw.load(load)
        dbt.build(url)
        for mart in KEYS:
            assert_same(mart, read(lived, mart), read(connection, mart))


DAYS = [(BEGIN + timedelta(days=day)).date() for day in range(VERSIONS + 1)]
PARTS = st.lists(st.integers(0, 3), min_size=len(DAYS), max_size=len(DAYS))


def test_rollups_add_up_to_the_same_for_any_partition_of_the_days(lived: Connection) -> None:
    from_rollups = """
        select
            agent_name, experiment_group, metric, sum(sample_count), sum(value_sum),
            sum(value_sum_of_squares), min(value_min), max(value_max)
        from evals.metric_daily_rollups
        where recorded_on = any(%s)
        group by agent_name, experiment_group, metric
        order by 1, 2, 3
    """
    from_results = """
        select
            results.agent_name, results.experiment_group, scores.metric, count(*),
            sum(scores.value::numeric), sum(scores.value::numeric * scores.value::numeric),
            min(scores.value), max(scores.value)
        from evals.evaluation_results as results
        inner join evals.evaluation_scores as scores using (experiment_id, result_id)
        where (results.recorded_at at time zone 'UTC')::date = any(%s) and scores.value is not null
        group by results.agent_name, results.experiment_group, scores.metric
        order by 1, 2, 3
    """
    whole = {row[:3]: row[3:] for row in lived.execute(from_rollups, [DAYS])}
    assert whole

    def merge(one: Sequence[Any] | None, other: Sequence[Any]) -> Sequence[Any]:
        if one is None:
            return other
        sums = [one[place] + other[place] for place in range(3)]
        return (*sums, min(one[3], other[3]), max(one[4], other[4]))

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(PARTS)
    def check(parts: list[int]) -> None:
        merged: dict[tuple[Any, ...], Sequence[Any]] = {}
        for part in set(parts):
            days: list[date] = [day for day, own in zip(DAYS, parts, strict=True) if own == part]
            rows = lived.execute(from_rollups, [days]).fetchall()
            assert rows == lived.execute(from_results, [days]).fetchall()
            for row in rows:
                merged[row[:3]] = merge(merged.get(row[:3]), row[3:])
        assert {key: tuple(row) for key, row in merged.items()} == whole

    check()


def test_a_change_that_a_person_accepts_closes_the_alert(lived: Connection, dbt: Dbt) -> None:
    """Runs last: the seed's table is changed by hand, and `dbt run` leaves seeds alone."""

    def alert() -> tuple[Any, ...] | None:
        found = lived.execute(
            "select began_version, ended_version, end_reason, is_open from evals.metric_alerts"
            " where agent_name = 'fell' and metric = 'accuracy' and experiment_group = 'code-chef'"
        ).fetchall()
        assert len(found) == 1
        return found[0]

    fell = f"1.{FALLS_AT}.0"
    assert alert() == (fell, None, None, True)
    accept = (
        "insert into evals_staging.accepted_changes"
        " (agent_name, experiment_group, metric, extension_version, accepted_by, accepted_on,"
        " reason) values ('fell', null, %s, %s, 'maria', '2026-02-01', 'harder prompts')"
    )
    lived.execute(accept, ["latency_ms", "1.9.0"])
    dbt.run(lived.info.dsn, "run")
    assert alert() == (fell, None, None, True), "another metric was accepted"
    lived.execute(accept, ["accuracy", "1.9.0"])
    dbt.run(lived.info.dsn, "run")
    assert alert() == (fell, "1.9.0", "accepted", False)
    (count,) = lived.execute(
        "select count(*) from evals.metric_alerts where agent_name = 'fell'"
        " and metric = 'accuracy' and experiment_group = 'code-chef' and is_open"
    ).fetchone() or (None,)
    assert count == 0
