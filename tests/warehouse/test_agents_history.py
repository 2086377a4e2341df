"""Real histories: trends equal pandas for any window, and outages begin and end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg
import pytest
from hypothesis import given, settings, strategies

import servers
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

DATA = [path for path in [servers.SHARED_DATA / "agents_history.jsonl"] if path.is_file()]
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module", params=DATA, ids=lambda path: path.stem)
def history(
    request: pytest.FixtureRequest, postgres_server: str, dbt: Dbt
) -> Iterator[tuple[Connection, pd.DataFrame]]:
    records = [
        {**record, "recorded_at": moment(record["recorded_at"])}
        for record in map(json.loads, request.param.read_text(encoding="utf-8").splitlines())
    ]
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        RawRows(connection).load(records)
        dbt.build(url)
        yield connection, frame(records)


def moment(text: str) -> datetime:
    """Read a time; without a zone it is UTC."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per task of an experiment, its repetitions averaged."""
    rows = pd.DataFrame(
        {
            "experiment": record["experiment_id"],
            "task": record["task_id"],
            "agent": record["agent_name"],
            "version": record["extension_version"],
            "recorded_at": record["recorded_at"],
            "accuracy": record["scores"].get("accuracy"),
            "success": record["success"],
        }
        for record in records
    )
    rows["accuracy"] = rows["accuracy"].astype(float)
    return rows.groupby(["experiment", "task", "agent", "version"], as_index=False).agg(
        {"accuracy": "mean", "success": "mean", "recorded_at": "max"}
    )


def test_trends_equal_pandas(history: tuple[Connection, pd.DataFrame]) -> None:
    connection, rows = history
    expected = rows.dropna(subset=["accuracy"]).groupby(["agent", "version"])["accuracy"]
    built = {
        (agent, version): numbers
        for agent, version, *numbers in connection.execute(
            "select agent_name, extension_version, sample_count, avg_value, p50_value, p95_value"
            " from evals.version_trends where metric = 'accuracy'"
        )
    }
    assert built.keys() == set(expected.groups)
    for key, values in expected:
        assert built[key] == pytest.approx(
            [len(values), values.mean(), values.median(), values.quantile(0.95)], rel=1e-9
        )


@pytest.mark.parametrize("days", [1, 3, 7, 30])
def test_rollups_of_any_window_equal_pandas(
    history: tuple[Connection, pd.DataFrame], days: int
) -> None:
    connection, rows = history
    scored = rows.dropna(subset=["accuracy"])
    first = scored["recorded_at"].min().date()
    for offset in range(0, 32, 5):
        start = first + timedelta(days=offset)
        end = start + timedelta(days=days)
        dates = scored["recorded_at"].dt.date
        window = scored[(dates >= start) & (dates < end)]
        expected = {
            agent: [len(values), values.mean(), values.var(ddof=0)]
            for agent, values in window.groupby("agent")["accuracy"]
        }
        built = {
            agent: [float(number) for number in numbers]
            for agent, *numbers in connection.execute(
                "select agent_name, sum(sample_count), sum(value_sum) / sum(sample_count),"
                " sum(value_sum_of_squares) / sum(sample_count)"
                " - (sum(value_sum) / sum(sample_count)) ^ 2"
                " from evals.metric_daily_rollups"
                " where metric = 'accuracy' and recorded_on >= %s and recorded_on < %s"
                " group by agent_name",
                [start, end],
            )
        }
        assert built.keys() == expected.keys()
        for agent, numbers in expected.items():
            assert built[agent] == pytest.approx(numbers, rel=1e-9, abs=1e-12)


def test_outages_begin_and_end(history: tuple[Connection, pd.DataFrame]) -> None:
    connection, rows = history
    built = set(
        connection.execute(
            "select agent_name, began_version, ended_version from evals.metric_alerts"
            " where cause = 'outage'"
        ).fetchall()
    )
    assert built == set(outages(rows))
    assert len([one for one in built if one[2] is not None]) >= 10


def outages(rows: pd.DataFrame) -> Iterator[tuple[str, str, str | None]]:
    """Yield runs of versions without any success, if chance would not do it in a thousand."""
    for agent, results in rows.groupby("agent"):
        counted = results.groupby("version").agg(
            at=("recorded_at", "min"), n=("success", "size"), good=("success", "sum")
        )
        good: list[tuple[int, int]] = []
        run: list[tuple[str, int]] = []
        ordered = counted.sort_values("at")
        for version, n, succeeded in [
            *zip(ordered.index, ordered.n, ordered.good, strict=True),
            (None, 0, 1),
        ]:
            if succeeded == 0:
                run.append((version, n))
                continue
            if run and good:
                rate = sum(one for one, _ in good[-5:]) / sum(one for _, one in good[-5:])
                if (1 - rate) ** sum(one for _, one in run) <= 0.001:
                    yield str(agent), run[0][0], version
            run = []
            good.append((succeeded, n))


def test_suites_that_grow_raise_nothing(history: tuple[Connection, pd.DataFrame]) -> None:
    connection, rows = history
    tasks = {key: set(group) for key, group in rows.groupby(["agent", "version"])["task"]}
    suspects = connection.execute(
        "select trends.agent_name, trends.extension_version, trends.previous_extension_version"
        " from evals.version_trends as trends"
        " inner join evals.metric_alerts as alerts"
        " on trends.agent_name = alerts.agent_name"
        " and trends.metric = alerts.metric"
        " and trends.extension_version in (alerts.began_version, alerts.found_version)"
        " where alerts.metric = 'accuracy' and trends.previous_extension_version is not null"
    ).fetchall()
    grown = [
        (agent, version)
        for agent, version, previous in suspects
        if tasks[agent, version] > tasks[agent, previous]
    ]
    assert not grown


@given(cuts=strategies.sets(strategies.integers(1, 60), max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_partition_of_the_days_adds_up_to_the_trend(
    history: tuple[Connection, pd.DataFrame], cuts: set[int]
) -> None:
    connection, _ = history
    parts = connection.execute(
        "with parts as (select agent_name, metric, extension_version,"
        " width_bucket(recorded_on - date '2023-07-20', %s::integer[]) as part,"
        " sum(sample_count) as n, sum(value_sum) as total, min(value_min) as low,"
        " max(value_max) as high"
        " from evals.metric_daily_rollups group by 1, 2, 3, 4)"
        " select count(*), count(*) filter (where whole.n = trends.sample_count"
        " and abs(whole.total / whole.n - trends.avg_value) <= 1e-9 * abs(trends.avg_value)"
        " and whole.low = trends.min_value and whole.high = trends.max_value)"
        " from evals.version_trends as trends left join ("
        " select agent_name, metric, extension_version, sum(n) as n, sum(total) as total,"
        " min(low) as low, max(high) as high from parts group by 1, 2, 3"
        ") as whole using (agent_name, metric, extension_version)",
        [sorted(cuts) or [0]],
    ).fetchone()
    assert parts is not None
    assert parts[0] == parts[1] > 0
